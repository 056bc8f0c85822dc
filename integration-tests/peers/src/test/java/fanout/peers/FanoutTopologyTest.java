package fanout.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The whole way from records to sinks, without brokers. */
class FanoutTopologyTest {
    private static final Plan PLAN = W1.plan();
    private static final Supplier<Criteria> FHIR_PATH = FhirPath.of(PLAN.topics());
    private static final long NOW = 1_767_225_600_000L;

    private TopologyTestDriver driver;
    private TestInputTopic<byte[], byte[]> ingest;

    /** Runs the records of a test; opened here, since every variant has its own. */
    private void with(Options.Variant variant, Runnable test) {
        Options options = Options.parse(
                "--variant", "hand-coded", "--bootstrap", "none:1", "--ingest", "changes", "--prefix", "out",
                "--application", "test", "--dead-letters", "dead", "--threads", "1", "--state-dir", "target/state");
        Supplier<Criteria> criteria =
                variant == Options.Variant.FHIRPATH ? FHIR_PATH : () -> new HandCoded(PLAN.topics());
        driver = new TopologyTestDriver(FanoutTopology.build(PLAN, options, criteria), StreamsSettings.of(options));
        try {
            ingest = driver.createInputTopic("changes", new ByteArraySerializer(), new ByteArraySerializer());
            test.run();
        } finally {
            driver.close();
        }
    }

    private void send(String key, String value, Headers headers) {
        byte[] bytes = value == null ? null : value.getBytes(StandardCharsets.UTF_8);
        byte[] keyBytes = key == null ? null : key.getBytes(StandardCharsets.UTF_8);
        ingest.pipeInput(new TestRecord<>(keyBytes, bytes, headers, Instant.ofEpochMilli(NOW)));
    }

    private void send(String value) {
        send("key", value, new RecordHeaders());
    }

    private List<TestRecord<byte[], byte[]>> read(String kafkaTopic) {
        return driver.createOutputTopic(kafkaTopic, new ByteArrayDeserializer(), new ByteArrayDeserializer())
                .readRecordsToList();
    }

    /** The destinations that got anything, and the dead letters. */
    private List<String> reached() {
        List<String> reached = new ArrayList<>();
        Stream<String> ids = PLAN.topics().stream().flatMap(topic -> topic.destinations().stream()).map(Plan.Destination::id);
        Stream.concat(ids.map(id -> "out." + id), Stream.of("dead"))
                .forEach(kafkaTopic -> read(kafkaTopic).forEach(record -> reached.add(kafkaTopic)));
        return reached;
    }

    private static List<String> texts(Headers headers) {
        List<String> texts = new ArrayList<>();
        for (Header header : headers) {
            texts.add(header.key() + "=" + new String(header.value(), StandardCharsets.UTF_8));
        }
        return texts;
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @EnumSource
    void anEventReachesWhoWantsIt(Options.Variant variant) {
        with(variant, () -> {
            String north = Labs.meta("Organization/ward-2");
            String glucose = "\"status\":\"final\",\"code\":{\"coding\":[" + Labs.loinc("2345-7") + "]},\"valueQuantity\":{\"value\":";
            send(Labs.change("create", Labs.of("Observation", "1", north + "," + glucose + "100}")));
            assertEquals(List.of("out.labs-final", "out.glucose-north"), reached());
            send(Labs.change("create", Labs.of("Observation", "1", Labs.meta("Organization/region-3") + "," + glucose + "100}")));
            assertEquals(List.of("out.labs-final", "out.glucose-south"), reached());
            send(Labs.change("create", Labs.of("Observation", "1", glucose + "501}")));
            assertEquals(List.of("out.critical-labs", "out.labs-final"), reached());
            send(Labs.change("delete", Labs.of("Observation", "1", glucose + "501}")));
            assertEquals(List.of(), reached());
            send(Labs.change("update", Labs.of("QuestionnaireResponse", "1", "\"status\":\"completed\"")));
            assertEquals(List.of("out.questionnaires", "out.questionnaire-ids"), reached());
            send(Labs.change("create", Labs.of("Group", "1", "")));
            assertEquals(List.of(), reached());
        });
    }

    @ParameterizedTest
    @EnumSource
    void encountersByStatusAndRegion(Options.Variant variant) {
        with(variant, () -> {
            String now = Labs.of("Encounter", "e", "\"status\":\"finished\"," + Labs.meta("Organization/ward-1"));
            String before = ",\"previous\":" + Labs.encounter("e", "planned");
            send(Labs.change("update", now, before));
            assertEquals(List.of("out.encounter-status", "out.encounters-of-region"), reached());
            send(Labs.change("create", now, before));
            send(Labs.change("delete", now));
            assertEquals(List.of("out.encounters-of-region", "out.encounters-of-region"), reached());
            send(Labs.change("update", Labs.encounter("e", "finished"), before));
            assertEquals(List.of("out.encounter-status"), reached());
        });
    }

    @ParameterizedTest
    @EnumSource
    void keysHeadersAndTimes(Options.Variant variant) {
        with(variant, () -> {
            RecordHeaders headers = new RecordHeaders();
            headers.add("traceparent", "t".getBytes(StandardCharsets.UTF_8));
            headers.add("secret", "s".getBytes(StandardCharsets.UTF_8));
            send("patient-1", Labs.change("update", Labs.of("MedicationRequest", "m", "\"status\":\"active\"")), headers);
            send(null, "{\"interaction\":\"delete\",\"reference\":\"Patient/p\"}", new RecordHeaders());

            TestRecord<byte[], byte[]> medication = read("out.medications").get(0);
            assertEquals("patient-1", text(medication.key()));
            assertEquals(NOW, medication.timestamp());
            List<String> expected = List.of(
                    "content-type=application/fhir+json",
                    "fhir-topic=http://bench.example.org/SubscriptionTopic/medications-active",
                    "fhir-destination=medications",
                    "fhir-focus=MedicationRequest/m",
                    "fhir-interaction=update",
                    "fhir-source=changes:0:0",
                    "traceparent=t");
            assertEquals(expected, texts(medication.headers()));

            TestRecord<byte[], byte[]> patient = read("out.patients").get(0);
            assertEquals("Patient/p", text(patient.key()));
            expected = List.of(
                    "content-type=application/fhir+json",
                    "fhir-topic=http://bench.example.org/SubscriptionTopic/patients",
                    "fhir-destination=patients",
                    "fhir-interaction=delete",
                    "fhir-source=changes:0:1");
            assertEquals(expected, texts(patient.headers()));
        });
    }

    @ParameterizedTest
    @EnumSource
    void whatIsNoEventIsADeadLetterAsItWas(Options.Variant variant) {
        with(variant, () -> {
            send("key", "{\"interaction\":", new RecordHeaders());
            send("key", null, new RecordHeaders());
            List<TestRecord<byte[], byte[]>> letters = read("dead");
            assertEquals(2, letters.size());
            assertArrayEquals("{\"interaction\":".getBytes(StandardCharsets.UTF_8), letters.get(0).value());
            assertEquals("key", text(letters.get(0).key()));
            assertNull(letters.get(1).value());
            List<String> expected = List.of(
                    "fhir-dead-letter-class=undecodable",
                    "fhir-dead-letter-source=changes:0:1",
                    "fhir-dead-letter-event=0");
            assertEquals(expected, texts(letters.get(1).headers()));
            assertEquals(List.of(), reached());
        });
    }
}
