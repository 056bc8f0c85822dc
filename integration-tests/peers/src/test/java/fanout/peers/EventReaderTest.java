package fanout.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventReaderTest {
    private static final String TENANT = "https://aidbox.app/tenant-organization-id";

    private final EventReader reader = new EventReader(TENANT, EventReader.NONE, EventReader.NONE);
    private final Event event = new Event();

    private boolean read(String value) {
        return reader.read(value.getBytes(StandardCharsets.UTF_8), event);
    }

    private String text(Event.Resource resource) {
        return new String(event.value, resource.start, resource.end - resource.start, StandardCharsets.UTF_8);
    }

    @Test
    void membersMayStandInAnyOrder() {
        String now = Labs.encounter("e", "finished");
        String before = Labs.encounter("e", "planned");
        assertTrue(read("{\"previous\": " + before + " ,\"unknown\":[{\"resource\":1}],\"resource\":" + now
                + ",\"interaction\":\"update\"}"));
        assertEquals(Interaction.UPDATE, event.interaction);
        assertEquals("Encounter/e", event.type + "/" + event.id);
        assertEquals(now, text(event.focus));
        assertEquals(before, text(event.previousState()));
    }

    @Test
    void nothingIsLeftOverFromTheRecordBefore() {
        String all = ",\"previous\":" + Labs.of("Patient", "1", "") + ",\"organization\":\"Organization/a\"";
        assertTrue(read(Labs.change("update", Labs.of("Patient", "1", Labs.meta("Organization/b")), all)));
        assertTrue(read("{\"interaction\":\"update\",\"resource\":" + Labs.of("Patient", "2", "") + "}"));
        assertNull(event.previousState());
        assertNull(event.organization());
        assertNull(event.timestamp);
        assertEquals("1970-01-01T00:00:00.007Z", event.time(7));
    }

    @Test
    void theOrganizationIsTheEnvelopesOrThatOfTheFirstTenantExtension() {
        assertTrue(read(Labs.change("create", Labs.of("Patient", "1", Labs.meta("http://h/Organization/b/_history/2")))));
        assertEquals("Organization/b", event.organization());
        String envelope = ",\"organization\":{\"reference\":\"Organization/c\"}";
        assertTrue(read(Labs.change("create", Labs.of("Patient", "1", Labs.meta("Organization/b")), envelope)));
        assertEquals("Organization/c", event.organization());
        assertTrue(read(Labs.change("create", Labs.of("Patient", "1", Labs.meta("Patient/b")))));
        assertNull(event.organization());
        String twice = "\"meta\":{\"extension\":[{\"valueReference\":{\"reference\":\"Organization/a\"},\"url\":\"" + TENANT
                + "\"},{\"url\":\"" + TENANT + "\",\"valueReference\":{\"reference\":\"Organization/b\"}}]}";
        assertTrue(read(Labs.change("create", Labs.of("Patient", "1", twice))));
        assertEquals("Organization/a", event.organization());
    }

    @Test
    void theTimeIsTheEnvelopesOrTheResourcesOrTheRecords() {
        String patient = Labs.of("Patient", "1", Labs.meta("Organization/a"));
        assertTrue(read(Labs.change("create", patient)));
        assertEquals("2024-10-03T10:07:55Z", event.time(0));
        assertTrue(read("{\"interaction\":\"create\",\"timestamp\":\"2024-10-03\",\"resource\":" + patient + "}"));
        assertEquals("2024-10-03T10:07:42.5+02:00", event.time(0));
    }

    @Test
    void deletesMayComeWithStateOrReferenceAlone() {
        String patient = Labs.of("Patient", "1", "");
        assertTrue(read(Labs.change("delete", patient, ",\"reference\":\"http://h/fhir/Patient/1\"")));
        assertEquals(patient, text(event.focus));
        assertTrue(read("{\"interaction\":\"delete\",\"previous\":" + patient + "}"));
        assertEquals(patient, text(event.focus));
        assertTrue(read("{\"interaction\":\"delete\",\"reference\":{\"reference\":\"Patient/7/_history/2\"}}"));
        assertNull(event.focus);
        assertEquals("Patient/7", event.type + "/" + event.id);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "no JSON",
                "[]",
                "{}",
                "{\"interaction\":\"create\"}",
                "{\"interaction\":\"create\",\"resource\":null}",
                "{\"interaction\":\"create\",\"resource\":[]}",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\"}}",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"patient\",\"id\":\"1\"}}",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a/b\"}}",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\",\"id\":1}}",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"}",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"}} x",
                "{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\",}}",
                "{\"interaction\":\"created\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"}}",
                "{\"interaction\":\"create\",\"fhirRelease\":\"R9\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"}}",
                "{\"interaction\":\"update\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"},\"previous\":{\"resourceType\":\"Patient\",\"id\":\"2\"}}",
                "{\"interaction\":\"delete\"}",
                "{\"interaction\":\"delete\",\"reference\":\"urn:x\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"}}",
                "{\"interaction\":\"delete\",\"reference\":\"Patient/2\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"1\"}}",
            })
    void whatIsNoEvent(String value) {
        assertFalse(read(value));
    }

    @Test
    void bytesThatAreNoTextAreNoEvent() {
        assertFalse(reader.read(null, event));
        byte[] value = Labs.change("create", Labs.of("Patient", "1", "\"x\":\"?\"")).getBytes(StandardCharsets.UTF_8);
        value[new String(value, StandardCharsets.UTF_8).indexOf('?')] = (byte) 0xff;
        assertFalse(reader.read(value, event));
    }

    @Test
    void aResourceMayHave128Levels() {
        assertTrue(read(Labs.change("create", Labs.of("Basic", "1", "\"x\":" + "[".repeat(127) + "]".repeat(127)))));
        assertFalse(read(Labs.change("create", Labs.of("Basic", "1", "\"x\":" + "[".repeat(128) + "]".repeat(128)))));
    }
}
