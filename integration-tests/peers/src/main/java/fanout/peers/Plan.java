package fanout.peers;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** What goes where: the part of fhir-fanout's configuration that the workload uses. */
record Plan(String fhirBaseUrl, String extensionUrl, Map<String, String> parents, List<Topic> topics) {

    /** How much of the resource a notification carries. */
    enum Content {
        FULL_RESOURCE,
        ID_ONLY,
        EMPTY
    }

    /**
     * A subscription topic with one trigger.
     *
     * @param name what its URL ends with; hand-coded criteria go by it
     * @param resourceType the trigger's resource type
     * @param interactions the trigger's interactions
     * @param criterion FHIRPath; null if there is none
     * @param organization only events of it or under it; null for all
     */
    record Topic(
            String name,
            String url,
            String resourceType,
            Set<Interaction> interactions,
            String criterion,
            String organization,
            List<Destination> destinations) {}

    /**
     * Who gets a topic's notifications.
     *
     * @param id also the end of the Kafka topic's name
     * @param organization only events of it or under it; null for all
     */
    record Destination(String id, Content content, String organization) {}
}
