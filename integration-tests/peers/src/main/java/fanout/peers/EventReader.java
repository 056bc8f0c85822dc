package fanout.peers;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;

/**
 * Reads the {@code change} envelope in one pass of Jackson's streaming parser. Nothing is built: of resources it keeps
 * where their bytes are and what every event is asked for; criteria may look at other members in the same pass.
 */
final class EventReader {
    /** Looks at the members of a resource that criteria need. */
    interface Members {
        /** Another resource begins. */
        void begin();

        /** A member, with the parser at the first token of its value; leaves it at the last one. */
        void member(String name, JsonParser parser) throws IOException;
    }

    /** Needs no member. */
    static final Members NONE = new Members() {
        @Override
        public void begin() {}

        @Override
        public void member(String name, JsonParser parser) throws IOException {
            parser.skipChildren();
        }
    };

    private static final Set<String> RELEASES =
            Set.of("R4", "r4", "4.0", "4.0.1", "R4B", "r4b", "4.3", "4.3.0", "R5", "r5", "5.0", "5.0.0");

    private final JsonFactory factory = JsonFactory.builder()
            // FHIR's JSON is UTF-8.
            .disable(JsonFactory.Feature.CHARSET_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    // 128 of a resource, and the envelope.
                    .maxNestingDepth(129)
                    .maxStringLength(Integer.MAX_VALUE)
                    .maxNumberLength(Integer.MAX_VALUE)
                    .build())
            .build();
    private final String extensionUrl;
    private final Members ofResource;
    private final Members ofPrevious;

    private boolean releaseIsKnown;
    private String reference;
    private boolean hasReference;

    EventReader(String extensionUrl, Members ofResource, Members ofPrevious) {
        this.extensionUrl = extensionUrl;
        this.ofResource = ofResource;
        this.ofPrevious = ofPrevious;
    }

    /** Reads a record's value over what the event held. False: it is no event, and the event is not to be used. */
    boolean read(byte[] value, Event event) {
        if (value == null) {
            return false;
        }
        event.value = value;
        int start = startsWithMark(value) ? 3 : 0;
        try (JsonParser parser = factory.createParser(value, start, value.length - start)) {
            return readEnvelope(parser, event, start) && parser.nextToken() == null && settle(event);
        } catch (JacksonException notJson) {
            return false;
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    /** A byte order mark is passed over. */
    private static boolean startsWithMark(byte[] value) {
        return value.length >= 3 && value[0] == (byte) 0xEF && value[1] == (byte) 0xBB && value[2] == (byte) 0xBF;
    }

    private boolean readEnvelope(JsonParser parser, Event event, int start) throws IOException {
        event.interaction = null;
        event.timestamp = null;
        event.namesOrganization = false;
        event.namedOrganization = null;
        event.resource.clear();
        event.previous.clear();
        releaseIsKnown = true;
        hasReference = false;
        reference = null;
        ofResource.begin();
        ofPrevious.begin();
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            return false;
        }
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken token = parser.nextToken();
            switch (name) {
                case "interaction" -> event.interaction = Interaction.of(text(parser));
                case "resource" -> readResource(parser, event.resource, ofResource, start);
                case "previous" -> readResource(parser, event.previous, ofPrevious, start);
                case "timestamp" -> event.timestamp = text(parser);
                case "reference" -> {
                    hasReference = token != JsonToken.VALUE_NULL;
                    reference = reference(parser);
                }
                case "organization" -> {
                    event.namesOrganization = token != JsonToken.VALUE_NULL;
                    event.namedOrganization = organization(reference(parser));
                }
                case "fhirRelease" -> {
                    String release = text(parser);
                    releaseIsKnown = token == JsonToken.VALUE_NULL || release != null && RELEASES.contains(release);
                }
                default -> parser.skipChildren();
            }
        }
        return true;
    }

    private void readResource(JsonParser parser, Event.Resource resource, Members members, int start)
            throws IOException {
        resource.clear();
        members.begin();
        resource.present = parser.currentToken() != JsonToken.VALUE_NULL;
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            parser.skipChildren();
            return;
        }
        resource.object = true;
        resource.start = start + (int) parser.currentTokenLocation().getByteOffset();
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            parser.nextToken();
            switch (name) {
                case "resourceType" -> resource.type = text(parser);
                case "id" -> resource.id = text(parser);
                case "meta" -> readMeta(parser, resource);
                default -> members.member(name, parser);
            }
        }
        resource.end = start + (int) parser.currentLocation().getByteOffset();
    }

    private void readMeta(JsonParser parser, Event.Resource resource) throws IOException {
        resource.clearMeta();
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            parser.skipChildren();
            return;
        }
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            parser.nextToken();
            switch (name) {
                case "lastUpdated" -> resource.lastUpdated = text(parser);
                case "extension" -> resource.organization = readTenant(parser);
                default -> parser.skipChildren();
            }
        }
    }

    /** The organization that the first extension of the tenant's URL names. */
    private String readTenant(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.START_ARRAY) {
            parser.skipChildren();
            return null;
        }
        boolean found = false;
        String tenant = null;
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (found || parser.currentToken() != JsonToken.START_OBJECT) {
                parser.skipChildren();
                continue;
            }
            String named = null;
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                parser.nextToken();
                switch (name) {
                    case "url" -> found = extensionUrl.equals(text(parser));
                    case "valueReference" -> named = reference(parser);
                    default -> parser.skipChildren();
                }
            }
            tenant = found ? organization(named) : null;
        }
        return tenant;
    }

    private static String organization(String reference) {
        String reduced = reference == null ? null : References.reduce(reference);
        return reduced != null && reduced.startsWith("Organization/") ? reduced : null;
    }

    /** A reference's text that stands as a string or as an object with the member {@code reference}. */
    private static String reference(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            return text(parser);
        }
        String reference = null;
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            parser.nextToken();
            if (name.equals("reference")) {
                reference = text(parser);
            } else {
                parser.skipChildren();
            }
        }
        return reference;
    }

    /** The string at the parser; null, and passed over, when it is something else. */
    static String text(JsonParser parser) throws IOException {
        if (parser.currentToken() == JsonToken.VALUE_STRING) {
            return parser.getText();
        }
        parser.skipChildren();
        return null;
    }

    /** Finds out what the envelope's members mean together. */
    private boolean settle(Event event) {
        if (event.interaction == null || !releaseIsKnown) {
            return false;
        }
        boolean isWhole = switch (event.interaction) {
            case CREATE -> focusOn(event, event.resource);
            case UPDATE -> focusOn(event, event.resource) && (!event.previous.present || isSame(event.previous, event));
            case DELETE -> settleDelete(event);
        };
        return isWhole;
    }

    /** Criteria that compare two different resources would decide wrongly in silence. */
    private static boolean isSame(Event.Resource previous, Event event) {
        return previous.isUsable() && previous.type.equals(event.type) && previous.id.equals(event.id);
    }

    private boolean settleDelete(Event event) {
        String named = hasReference && reference != null ? References.reduce(reference) : null;
        if (hasReference && named == null) {
            return false;
        }
        Event.Resource state = event.resource.present ? event.resource : event.previous;
        if (state.present) {
            return focusOn(event, state) && (named == null || named.equals(event.type + "/" + event.id));
        }
        if (named == null) {
            return false;
        }
        event.focus = null;
        event.type = named.substring(0, named.indexOf('/'));
        event.id = named.substring(named.indexOf('/') + 1);
        return true;
    }

    private static boolean focusOn(Event event, Event.Resource resource) {
        event.focus = resource;
        event.type = resource.type;
        event.id = resource.id;
        return resource.isUsable();
    }
}
