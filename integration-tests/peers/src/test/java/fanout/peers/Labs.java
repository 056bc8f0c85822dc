package fanout.peers;

/** Texts of resources and envelopes for the tests. */
final class Labs {
    private Labs() {}

    static String observation(String status, String codings, String value) {
        return """
                {"resourceType":"Observation","id":"o-1","status":"%s","code":{"coding":[%s]},"valueQuantity":{"value":%s,"unit":"mg/dL"}}"""
                .formatted(status, codings, value);
    }

    static String loinc(String code) {
        return coding(W1.LOINC, code);
    }

    static String coding(String system, String code) {
        return "{\"system\":\"%s\",\"code\":\"%s\"}".formatted(system, code);
    }

    static String encounter(String id, String status) {
        return "{\"resourceType\":\"Encounter\",\"id\":\"%s\",\"status\":\"%s\"}".formatted(id, status);
    }

    static String of(String type, String id, String members) {
        return "{\"resourceType\":\"%s\",\"id\":\"%s\"%s}".formatted(type, id, members.isEmpty() ? "" : "," + members);
    }

    /** {@code "meta"} with an organization and noise around it. */
    static String meta(String organization) {
        return """
                "meta":{"lastUpdated":"2024-10-03T10:07:42.5+02:00","extension":[{"url":"ex:created","valueInstant":"2020-01-01T00:00:00Z"},\
                {"url":"https://aidbox.app/tenant-organization-id","valueReference":{"reference":"%s"}}],"tag":[{"code":"x"}]}"""
                .formatted(organization);
    }

    static String change(String interaction, String resource) {
        return change(interaction, resource, "");
    }

    /** @param more further members of the envelope, each with a comma in front */
    static String change(String interaction, String resource, String more) {
        return "{\"interaction\":\"%s\",\"timestamp\":\"2024-10-03T10:07:55Z\",\"resource\":%s%s}"
                .formatted(interaction, resource, more);
    }
}
