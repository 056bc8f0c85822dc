package fanout.peers;

import fanout.peers.NotificationWriter.DestinationParts;
import fanout.peers.NotificationWriter.EventParts;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** One record in, its notifications or its dead letter out. */
final class FanoutProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    /** The sink of the dead letters. */
    static final String DEAD_LETTERS = "dead-letters";

    private static final Header CONTENT_TYPE = header("content-type", "application/fhir+json");
    private static final Map<Interaction, Header> INTERACTIONS = interactions();
    /** The ingest's headers that are passed on. */
    private static final Set<String> FORWARDED = Set.of("traceparent", "tracestate", "correlation-id");

    /** A topic, ready to be asked about events of its resource type and one interaction. */
    private record Candidate(int topic, Header url, boolean hasCriterion, long requires, Target[] targets) {}

    /** A destination, ready to be written to. */
    private record Target(String sink, long requires, DestinationParts parts, Header topic, Header id) {}

    private final Criteria criteria;
    private final EventReader reader;
    private final NotificationWriter writer;
    private final Organizations organizations;
    /** By resource type and interaction. */
    private final Map<String, Candidate[][]> candidates = new HashMap<>();

    private final Event event = new Event();
    private ProcessorContext<byte[], byte[]> context;

    FanoutProcessor(Plan plan, Criteria criteria) {
        this.criteria = criteria;
        reader = new EventReader(plan.extensionUrl(), criteria.ofResource(), criteria.ofPrevious());
        writer = new NotificationWriter(plan.fhirBaseUrl());
        organizations = new Organizations(plan.parents());
        Map<String, List<List<Candidate>>> byType = new HashMap<>();
        for (int index = 0; index < plan.topics().size(); index++) {
            Plan.Topic topic = plan.topics().get(index);
            Candidate candidate = prepare(index, topic);
            List<List<Candidate>> ofType = byType.computeIfAbsent(
                    topic.resourceType(), type -> List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>()));
            topic.interactions().forEach(interaction -> ofType.get(interaction.ordinal()).add(candidate));
        }
        byType.forEach((type, lists) -> candidates.put(
                type, lists.stream().map(list -> list.toArray(Candidate[]::new)).toArray(Candidate[][]::new)));
    }

    private Candidate prepare(int index, Plan.Topic topic) {
        Header url = header("fhir-topic", topic.url());
        Target[] targets = topic.destinations().stream()
                .map(destination -> new Target(
                        destination.id(),
                        organizations.require(destination.organization()),
                        new DestinationParts(topic, destination),
                        url,
                        header("fhir-destination", destination.id())))
                .toArray(Target[]::new);
        long requires = organizations.require(topic.organization());
        Header concern = header("fhir-dead-letter-topic", topic.url());
        return new Candidate(index, concern, topic.criterion() != null, requires, targets);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        RecordMetadata origin = context.recordMetadata().orElseThrow();
        if (!reader.read(record.value(), event)) {
            deadLetter(record, origin, "undecodable", null);
            return;
        }
        Candidate[][] ofType = candidates.get(event.type);
        if (ofType == null) {
            return;
        }
        Candidate[] ofInteraction = ofType[event.interaction.ordinal()];
        if (ofInteraction.length == 0) {
            return;
        }
        long passed = organizations.passedBy(event.organization());
        Output output = null;
        criteria.begin(event);
        for (Candidate candidate : ofInteraction) {
            if ((candidate.requires & passed) != candidate.requires) {
                continue;
            }
            if (candidate.hasCriterion && !holds(candidate, record, origin)) {
                continue;
            }
            for (Target target : candidate.targets) {
                if ((target.requires & passed) == target.requires) {
                    if (output == null) {
                        output = new Output(record, origin);
                    }
                    output.send(target);
                }
            }
        }
    }

    /** What the notifications of one event have in common. */
    private final class Output {
        private final Record<byte[], byte[]> record;
        private final EventParts parts;
        private final Header focus;
        private final Header interaction;
        private final Header source;
        private final byte[] key;

        Output(Record<byte[], byte[]> record, RecordMetadata origin) {
            this.record = record;
            byte[] name = BundleIds.origin(origin.topic(), origin.partition(), origin.offset());
            parts = writer.parts(event, event.time(record.timestamp()), name);
            focus = new RecordHeader("fhir-focus", parts.focus);
            interaction = INTERACTIONS.get(event.interaction);
            source = header("fhir-source", position(origin));
            key = record.key() == null ? parts.focus : record.key();
        }

        void send(Target target) {
            Header[] own = target.parts.content == Plan.Content.EMPTY
                    ? new Header[] {CONTENT_TYPE, target.topic, target.id, interaction, source}
                    : new Header[] {CONTENT_TYPE, target.topic, target.id, focus, interaction, source};
            Headers headers = new RecordHeaders(own);
            forward(record.headers(), headers);
            byte[] bundle = writer.write(parts, target.parts);
            context.forward(new Record<>(key, bundle, record.timestamp(), headers), target.sink);
        }
    }

    /** A criterion that fails makes a dead letter of the event for its topic; the error may quote the resource. */
    private boolean holds(Candidate candidate, Record<byte[], byte[]> record, RecordMetadata origin) {
        try {
            return criteria.holds(candidate.topic);
        } catch (RuntimeException failed) {
            deadLetter(record, origin, "evaluation-error", candidate.url);
            return false;
        }
    }

    /** @param topic the header that names the topic that could not be decided; null for the whole record */
    private void deadLetter(Record<byte[], byte[]> record, RecordMetadata origin, String errorClass, Header topic) {
        Headers headers = new RecordHeaders();
        headers.add(header("fhir-dead-letter-class", errorClass));
        headers.add(header("fhir-dead-letter-source", position(origin)));
        headers.add(header("fhir-dead-letter-event", "0"));
        if (topic != null) {
            headers.add(topic);
        }
        forward(record.headers(), headers);
        context.forward(new Record<>(record.key(), record.value(), record.timestamp(), headers), DEAD_LETTERS);
    }

    private static void forward(Headers from, Headers to) {
        for (Header header : from) {
            if (FORWARDED.contains(header.key())) {
                to.add(header);
            }
        }
    }

    private static String position(RecordMetadata origin) {
        return origin.topic() + ":" + origin.partition() + ":" + origin.offset();
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8));
    }

    private static Map<Interaction, Header> interactions() {
        Map<Interaction, Header> headers = new EnumMap<>(Interaction.class);
        for (Interaction interaction : Interaction.values()) {
            headers.put(interaction, header("fhir-interaction", interaction.code));
        }
        return headers;
    }
}
