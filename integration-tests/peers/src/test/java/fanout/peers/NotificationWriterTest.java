package fanout.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import fanout.peers.NotificationWriter.DestinationParts;
import fanout.peers.Plan.Content;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The bytes of notifications, against the snapshots of fhir-fanout's own tests. */
class NotificationWriterTest {
    private static final Path SNAPSHOTS = Path.of("../../src/domain");
    private static final String TOPIC = "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic";

    /** What stands in a snapshot below its header. */
    private static String snapshot(String path) throws IOException {
        String text = Files.readString(SNAPSHOTS.resolve(path));
        return text.substring(text.indexOf("---\n", 4) + 4).strip();
    }

    private static String write(String baseUrl, Content content, String value, byte[] origin) {
        Event event = new Event();
        EventReader reader = new EventReader("tenant", EventReader.NONE, EventReader.NONE);
        assertTrue(reader.read(value.getBytes(StandardCharsets.UTF_8), event));
        Plan.Destination destination = new Plan.Destination("kafka-destination", content, null);
        Plan.Topic topic = new Plan.Topic("t", TOPIC, "Any", Set.of(), null, null, List.of(destination));
        NotificationWriter writer = new NotificationWriter(baseUrl);
        byte[] bundle = writer.write(writer.parts(event, event.time(0), origin), new DestinationParts(topic, destination));
        return new String(bundle, StandardCharsets.UTF_8);
    }

    @Test
    void idsAreThoseOfFhirFanout() throws IOException {
        byte[] out = new byte[BundleIds.LENGTH];
        byte[] destination = "kafka-destination".getBytes(StandardCharsets.UTF_8);
        new BundleIds().write(BundleIds.origin("fhir.changes", 3, 1_234_567_890_123L), destination, out, 0);
        String expected = snapshot("snapshots/fhir_fanout__domain__notification__tests__ids_never_change.snap");
        assertEquals(expected, new String(out, StandardCharsets.US_ASCII));
    }

    @ParameterizedTest
    @CsvSource({"FULL_RESOURCE,full_resource", "ID_ONLY,id_only", "EMPTY,empty"})
    void bundlesAreThoseOfFhirFanout(Content content, String name) throws IOException {
        String resource = "{\"resourceType\":\"QuestionnaireResponse\",\"id\":\"q1\",\"score\":1.50}";
        byte[] origin = BundleIds.origin("changes", 1, 42);
        String written = write("http://aidbox-server/fhir/", content, Labs.change("update", resource), origin);
        String file = "pipeline/tests/snapshots/fhir_fanout__domain__pipeline__tests__notifications__" + name + ".snap";
        assertEquals(snapshot(file), written);
    }

    @Test
    void bytesPassThroughUnchanged() {
        String resource = "{ \"id\":\"1\",\n\t\"resourceType\" : \"Patient\", \"x\":1.10e+02, \"y\":\"\\u00e9\\/\u00e9\","
                + " \"_z\" :[ ],\"x\":-0.0}";
        String value = "\ufeff {\"x\":\"\u20ac\",\"interaction\":\"update\",\"resource\" :  " + resource + "\n }";
        String written = write("", Content.FULL_RESOURCE, value, new byte[0]);
        assertTrue(written.contains("{\"resource\":" + resource + ",\"fullUrl\":\"Patient/1\",\"request\":"
                + "{\"method\":\"PUT\",\"url\":\"/Patient/1\"}}"), written);
    }

    @ParameterizedTest
    @CsvSource({"create,POST,/fhir/Patient", "update,PUT,/fhir/Patient/1", "delete,DELETE,/fhir/Patient/1"})
    void requestsTellTheInteraction(String interaction, String method, String url) {
        String value = Labs.change(interaction, Labs.of("Patient", "1", ""));
        String written = write("http://h:1/fhir", Content.FULL_RESOURCE, value, new byte[0]);
        assertTrue(written.endsWith("\"fullUrl\":\"http://h:1/fhir/Patient/1\",\"request\":{\"method\":\"" + method
                + "\",\"url\":\"" + url + "\"}}]}"), written);
        assertEquals(!interaction.equals("delete"), written.contains("{\"resource\":{\"resourceType\":\"Patient\""));
    }
}
