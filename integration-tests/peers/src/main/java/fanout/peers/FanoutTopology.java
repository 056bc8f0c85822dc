package fanout.peers;

import java.util.List;
import java.util.function.Supplier;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.Topology;

/** Ingest -> processor -> one sink for each destination, and one for the dead letters. Bytes everywhere. */
final class FanoutTopology {
    private FanoutTopology() {}

    /** @param criteria makes the criteria of one task */
    static Topology build(Plan plan, Options options, Supplier<Criteria> criteria) {
        ByteArrayDeserializer reader = new ByteArrayDeserializer();
        ByteArraySerializer writer = new ByteArraySerializer();
        Topology topology = new Topology();
        topology.addSource("ingest", reader, reader, options.ingest());
        topology.addProcessor("fanout", () -> new FanoutProcessor(plan, criteria.get()), "ingest");
        List<Plan.Destination> destinations =
                plan.topics().stream().flatMap(topic -> topic.destinations().stream()).toList();
        for (Plan.Destination destination : destinations) {
            String kafkaTopic = options.prefix() + "." + destination.id();
            topology.addSink(destination.id(), kafkaTopic, writer, writer, "fanout");
        }
        topology.addSink(FanoutProcessor.DEAD_LETTERS, options.deadLetters(), writer, writer, "fanout");
        return topology;
    }
}
