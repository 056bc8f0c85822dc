package fanout.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** W1's criteria: what is expected, and that both kinds of criteria say it. */
class CriteriaTest {
    private static final List<Plan.Topic> TOPICS = W1.plan().topics();
    private static final Supplier<Criteria> FHIR_PATH = FhirPath.of(TOPICS);

    static Stream<Arguments> cases() {
        String glucose = Labs.loinc("2345-7");
        String other = Labs.coding("http://snomed.info/sct", "2345-7");
        return Stream.of(
                lab("critical-labs", glucose, "39.999", true),
                lab("critical-labs", glucose, "40", false),
                lab("critical-labs", glucose, "40.0", false),
                lab("critical-labs", glucose, "4e1", false),
                lab("critical-labs", glucose, "500", false),
                lab("critical-labs", glucose, "500.1", true),
                lab("critical-labs", glucose, "-1", true),
                lab("critical-labs", Labs.loinc("2160-0"), "0.49", true),
                lab("critical-labs", Labs.loinc("2160-0"), "10.00", false),
                lab("critical-labs", Labs.loinc("6298-4"), "5.51", true),
                lab("critical-labs", Labs.loinc("6298-4"), "3.5", false),
                lab("critical-labs", Labs.loinc("2951-2"), "135.9", true),
                lab("critical-labs", Labs.loinc("718-7"), "18.01", true),
                lab("critical-labs", Labs.loinc("718-8"), "18.01", false),
                lab("critical-labs", other, "1", false),
                lab("critical-labs", other + "," + glucose, "1", true),
                lab("critical-labs", glucose + "," + Labs.loinc("2951-2"), "100", true),
                lab("glucose", glucose, "100", true),
                lab("glucose", other + "," + glucose, "100", true),
                lab("glucose", other, "100", false),
                lab("labs-final", glucose, "100", true),
                one("labs-final", "create", Labs.observation("preliminary", glucose, "1"), "", false),
                one("critical-labs", "create", Labs.of("Observation", "1", "\"code\":{\"coding\":[" + glucose + "]}"), "", false),
                one("questionnaires-completed", "update", Labs.of("QuestionnaireResponse", "1", "\"status\":\"completed\""), "", true),
                one("questionnaires-completed", "update", Labs.of("QuestionnaireResponse", "1", "\"status\":\"amended\""), "", false),
                one("questionnaires-completed", "update", Labs.of("QuestionnaireResponse", "1", ""), "", false),
                one("medications-active", "create", Labs.of("MedicationRequest", "1", "\"status\":\"active\""), "", true),
                one("medications-active", "create", Labs.of("MedicationRequest", "1", "\"status\":\"on-hold\""), "", false),
                status("planned", "finished", true),
                status("planned", "planned", false),
                one("encounter-status", "update", Labs.encounter("e", "planned"), "", false),
                one("encounter-status", "update", Labs.encounter("e", "planned"), ",\"previous\":null", false),
                one("encounter-status", "update", Labs.of("Encounter", "e", ""), previous("planned"), false));
    }

    private static Arguments lab(String topic, String codings, String value, boolean expected) {
        return one(topic, "update", Labs.observation("final", codings, value), "", expected);
    }

    private static Arguments status(String before, String now, boolean expected) {
        return one("encounter-status", "update", Labs.encounter("e", now), previous(before), expected);
    }

    private static String previous(String status) {
        return ",\"previous\":" + Labs.encounter("e", status);
    }

    private static Arguments one(String topic, String interaction, String resource, String more, boolean expected) {
        return Arguments.of(topic, Labs.change(interaction, resource, more), expected);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void handCoded(String topic, String change, boolean expected) {
        assertEquals(expected, holds(new HandCoded(TOPICS), topic, change));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void fhirPath(String topic, String change, boolean expected) {
        assertEquals(expected, holds(FHIR_PATH.get(), topic, change));
    }

    /** HAPI's engine compares as doubles, for which this is 40. */
    @Test
    void handCodedDecimalsAreExact() {
        String value = Labs.observation("final", Labs.loinc("2345-7"), "39.999999999999999999");
        assertTrue(holds(new HandCoded(TOPICS), "critical-labs", Labs.change("create", value)));
    }

    private static boolean holds(Criteria criteria, String topic, String change) {
        Event event = new Event();
        EventReader reader = new EventReader("tenant", criteria.ofResource(), criteria.ofPrevious());
        assertTrue(reader.read(change.getBytes(StandardCharsets.UTF_8), event));
        criteria.begin(event);
        int index = 0;
        while (!TOPICS.get(index).name().equals(topic)) {
            index++;
        }
        return criteria.holds(index);
    }
}
