package fanout.peers;

import fanout.peers.Plan.Content;
import fanout.peers.Plan.Destination;
import fanout.peers.Plan.Topic;
import java.math.BigDecimal;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;

/** The benchmark's workload W1: 8 topics, 10 destinations, 50 organizations in 4 levels. */
final class W1 {
    static final String LOINC = "http://loinc.org";
    static final String GLUCOSE = "2345-7";

    /** Below {@code low} or above {@code high} is critical. */
    record Range(BigDecimal low, BigDecimal high) {
        static Range of(String low, String high) {
            return new Range(new BigDecimal(low), new BigDecimal(high));
        }

        boolean isOutside(BigDecimal value) {
            return value.compareTo(low) < 0 || value.compareTo(high) > 0;
        }
    }

    private static final Set<Interaction> WRITTEN = Set.of(Interaction.CREATE, Interaction.UPDATE);
    private static final Set<Interaction> ALL = Set.of(Interaction.values());

    private W1() {}

    /** The critical ranges by LOINC code. */
    static Map<String, Range> criticalRanges() {
        Map<String, Range> ranges = new LinkedHashMap<>();
        ranges.put(GLUCOSE, Range.of("40", "500"));
        ranges.put("2160-0", Range.of("0.5", "10.0"));
        ranges.put("6298-4", Range.of("3.5", "5.5"));
        ranges.put("2951-2", Range.of("136", "145"));
        ranges.put("718-7", Range.of("7.0", "18.0"));
        return ranges;
    }

    static Plan plan() {
        return new Plan(
                "http://fhir.example.org/fhir",
                "https://aidbox.app/tenant-organization-id",
                parents(),
                List.of(
                        topic(
                                "questionnaires-completed",
                                "QuestionnaireResponse",
                                WRITTEN,
                                "status = 'completed'",
                                to("questionnaires", Content.FULL_RESOURCE),
                                to("questionnaire-ids", Content.ID_ONLY)),
                        topic(
                                "critical-labs",
                                "Observation",
                                WRITTEN,
                                criticalCriterion(),
                                to("critical-labs", Content.FULL_RESOURCE)),
                        topic(
                                "labs-final",
                                "Observation",
                                WRITTEN,
                                "status = 'final'",
                                to("labs-final", Content.ID_ONLY)),
                        topic(
                                "encounter-status",
                                "Encounter",
                                Set.of(Interaction.UPDATE),
                                "%previous.status != %current.status",
                                to("encounter-status", Content.FULL_RESOURCE)),
                        topic("patients", "Patient", ALL, null, to("patients", Content.EMPTY)),
                        topic(
                                "medications-active",
                                "MedicationRequest",
                                WRITTEN,
                                "status = 'active'",
                                to("medications", Content.FULL_RESOURCE)),
                        new Topic(
                                "encounters-of-region",
                                url("encounters-of-region"),
                                "Encounter",
                                ALL,
                                null,
                                "Organization/region-1",
                                List.of(to("encounters-of-region", Content.FULL_RESOURCE))),
                        topic(
                                "glucose",
                                "Observation",
                                WRITTEN,
                                coded(GLUCOSE),
                                new Destination("glucose-north", Content.FULL_RESOURCE, "Organization/region-2"),
                                new Destination("glucose-south", Content.ID_ONLY, "Organization/region-3"))));
    }

    private static Topic topic(
            String name, String type, Set<Interaction> interactions, String criterion, Destination... destinations) {
        return new Topic(name, url(name), type, interactions, criterion, null, List.of(destinations));
    }

    private static String url(String name) {
        return "http://bench.example.org/SubscriptionTopic/" + name;
    }

    private static Destination to(String id, Content content) {
        return new Destination(id, content, null);
    }

    private static String coded(String code) {
        return "code.coding.where(system = '" + LOINC + "' and code = '" + code + "').exists()";
    }

    private static String criticalCriterion() {
        StringJoiner any = new StringJoiner(" or ");
        criticalRanges()
                .forEach((code, range) -> any.add("(" + coded(code) + " and (value.value < " + range.low.toPlainString()
                        + " or value.value > " + range.high.toPlainString() + "))"));
        return any.toString();
    }

    /** Child to parent: a network of 4 regions, 12 hospitals, 33 wards, dealt out in turn. */
    private static Map<String, String> parents() {
        Map<String, String> parents = new HashMap<>();
        link(parents, "region", 4, "network", 1);
        link(parents, "hospital", 12, "region", 4);
        link(parents, "ward", 33, "hospital", 12);
        return parents;
    }

    private static void link(Map<String, String> parents, String level, int count, String above, int countAbove) {
        for (int number = 1; number <= count; number++) {
            String suffix = countAbove == 1 ? "" : "-" + ((number - 1) % countAbove + 1);
            parents.put("Organization/" + level + "-" + number, "Organization/" + above + suffix);
        }
    }
}
