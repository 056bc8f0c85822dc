package fanout.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** References, instants and JSON strings: the same cases as in fhir-fanout's own tests. */
class TextRulesTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "Organization/b",
                "Organization/b/_history/3",
                "http://fhir.example.org/fhir/Organization/b",
                "https://fhir.example.org/Organization/b/_history/3",
                "http://fhir.example.org:8080/a/b/Organization/b#part",
            })
    void referencesAreReduced(String reference) {
        assertEquals("Organization/b", References.reduce(reference));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "b",
                "/",
                "Organization",
                "Organization/",
                "/b",
                "organization/b",
                "fhir/Organization/b",
                "#Organization/b",
                "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                "Organization?identifier=x|1",
                "http://h/fhir/Organization?identifier=x/1",
                "http://Host/x",
                "http://x",
                "Organization/a b",
                "Organization/a\u0007",
                "Organization/a\u00a0",
            })
    void whatNamesNoResourceIsNotReduced(String reference) {
        assertNull(References.reduce(reference));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "2024-10-03T10:07:55Z",
                "2024-10-03T10:07:55.843374Z",
                "2024-02-29T00:00:00.000000001+14:00",
                "0001-01-01T00:00:00-13:59",
                "2016-12-31T23:59:60Z",
                "2000-02-29T23:59:59.5-00:00",
            })
    void fullInstants(String text) {
        assertTrue(Instants.isInstant(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "2024",
                "2024-10-03",
                "2024-10-03T10:07Z",
                "2024-10-03T10:07:55",
                "2024-10-03T24:00:00Z",
                "2024-02-30T10:07:55Z",
                "2023-02-29T10:07:55Z",
                "1900-02-29T10:07:55Z",
                "2024-04-31T10:07:55Z",
                "0000-01-01T00:00:00Z",
                "2024-13-01T10:07:55Z",
                "2024-00-01T10:07:55Z",
                "2024-10-03T10:60:55Z",
                "2024-10-03T10:07:61Z",
                "2024-10-03T10:07:55.Z",
                "2024-10-03T10:07:55.0123456789Z",
                "2024-10-03T10:07:55+14:01",
                "2024-10-03T10:07:55+15:00",
                "2024-10-03T10:07:55+0100",
                "2024-10-03T10:07:55ZZ",
                "2024-10-03t10:07:55z",
                "2024-10-03 10:07:55Z",
                "2024-10-03T10:07:55Z ",
                "2024-10-03T10:07:55:00Z",
                "2024-10-03-01T10:07:55Z",
                "20240-1-03T10:07:55Z",
                "+024-10-03T10:07:55Z",
                "2024-10-03T10:07:5\uff15Z",
            })
    void whatIsNoFullInstant(String text) {
        assertFalse(Instants.isInstant(text));
    }

    @Test
    void millisecondsAreWrittenInUtc() {
        assertEquals("2026-01-01T00:00:00.000Z", Instants.ofMillis(1_767_225_600_000L));
        assertEquals("1969-12-31T23:59:59.999Z", Instants.ofMillis(-1));
        assertNull(Instants.ofMillis(Long.MAX_VALUE));
        assertNull(Instants.ofMillis(-70_000_000_000_000L));
    }

    @Test
    void onlyWhatHasToBeEscapedIs() {
        String text = "a\"\\/\b\f\n\r\t\u0001\u001f\u007f\u00e9\u20ac\ud83d\ude00";
        String expected = "a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u007f\u00e9\u20ac\ud83d\ude00";
        assertEquals(expected, new String(JsonText.escaped(text), StandardCharsets.UTF_8));
        assertEquals("\u00e9", new String(JsonText.escaped("\u00e9"), StandardCharsets.UTF_8));
    }
}
