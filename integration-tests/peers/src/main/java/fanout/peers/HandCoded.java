package fanout.peers;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** W1's criteria as somebody writes them who needs just these. */
final class HandCoded implements Criteria {
    /** What the criteria ask of a resource. */
    private static final class Facts implements EventReader.Members {
        String status;
        /** The value's number, where there is one. */
        BigDecimal quantity;
        /** Codes of the system LOINC. */
        final List<String> loinc = new ArrayList<>();

        @Override
        public void begin() {
            status = null;
            quantity = null;
            loinc.clear();
        }

        @Override
        public void member(String name, JsonParser parser) throws IOException {
            switch (name) {
                case "status" -> status = EventReader.text(parser);
                case "code" -> readCode(parser);
                case "valueQuantity" -> readQuantity(parser);
                default -> parser.skipChildren();
            }
        }

        private void readCode(JsonParser parser) throws IOException {
            loinc.clear();
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                parser.skipChildren();
                return;
            }
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                if (parser.nextToken() == JsonToken.START_ARRAY && name.equals("coding")) {
                    loinc.clear();
                    while (parser.nextToken() != JsonToken.END_ARRAY) {
                        readCoding(parser);
                    }
                } else {
                    parser.skipChildren();
                }
            }
        }

        private void readCoding(JsonParser parser) throws IOException {
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                parser.skipChildren();
                return;
            }
            boolean isLoinc = false;
            String code = null;
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                parser.nextToken();
                switch (name) {
                    case "system" -> isLoinc = W1.LOINC.equals(EventReader.text(parser));
                    case "code" -> code = EventReader.text(parser);
                    default -> parser.skipChildren();
                }
            }
            if (isLoinc && code != null) {
                loinc.add(code);
            }
        }

        private void readQuantity(JsonParser parser) throws IOException {
            quantity = null;
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                parser.skipChildren();
                return;
            }
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken token = parser.nextToken();
                if (name.equals("value")) {
                    quantity = token.isNumeric() ? parser.getDecimalValue() : null;
                }
                parser.skipChildren();
            }
        }
    }

    /** What the criteria ask of the version before. */
    private static final class Status implements EventReader.Members {
        String status;

        @Override
        public void begin() {
            status = null;
        }

        @Override
        public void member(String name, JsonParser parser) throws IOException {
            if (name.equals("status")) {
                status = EventReader.text(parser);
            } else {
                parser.skipChildren();
            }
        }
    }

    private final Map<String, W1.Range> ranges = Map.copyOf(W1.criticalRanges());
    private final Facts resource = new Facts();
    private final Status previous = new Status();
    private final BooleanSupplier[] byTopic;

    HandCoded(List<Plan.Topic> topics) {
        byTopic = topics.stream().map(this::criterion).toArray(BooleanSupplier[]::new);
    }

    private BooleanSupplier criterion(Plan.Topic topic) {
        if (topic.criterion() == null) {
            return () -> true;
        }
        return switch (topic.name()) {
            case "questionnaires-completed" -> () -> "completed".equals(resource.status);
            case "critical-labs" -> this::isCritical;
            case "labs-final" -> () -> "final".equals(resource.status);
            case "encounter-status" -> this::statusChanged;
            case "medications-active" -> () -> "active".equals(resource.status);
            case "glucose" -> () -> resource.loinc.contains(W1.GLUCOSE);
            default -> throw new IllegalArgumentException("no criterion is written for the topic " + topic.name());
        };
    }

    private boolean isCritical() {
        if (resource.quantity == null) {
            return false;
        }
        for (String code : resource.loinc) {
            W1.Range range = ranges.get(code);
            if (range != null && range.isOutside(resource.quantity)) {
                return true;
            }
        }
        return false;
    }

    /** Asked about updates only. */
    private boolean statusChanged() {
        return resource.status != null && previous.status != null && !resource.status.equals(previous.status);
    }

    @Override
    public EventReader.Members ofResource() {
        return resource;
    }

    @Override
    public EventReader.Members ofPrevious() {
        return previous;
    }

    @Override
    public boolean holds(int topic) {
        return byTopic[topic].getAsBoolean();
    }
}
