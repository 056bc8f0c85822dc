package fanout.peers;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** The command line. */
record Options(
        Variant variant,
        String bootstrap,
        String ingest,
        String prefix,
        String application,
        String deadLetters,
        int threads,
        String stateDir,
        Integer commitIntervalMs,
        Integer pollMs) {

    /** How criteria are decided. */
    enum Variant {
        HAND_CODED,
        FHIRPATH
    }

    static final String USAGE =
            """
            usage: fanout-peers --variant hand-coded|fhirpath --bootstrap HOST:PORT --ingest KAFKA_TOPIC --prefix PREFIX
                                --application ID --dead-letters KAFKA_TOPIC --threads N --state-dir FOLDER
                                [--commit-interval-ms N] [--poll-ms N]""";

    private static final Set<String> NAMES = Set.of(
            "--variant",
            "--bootstrap",
            "--ingest",
            "--prefix",
            "--application",
            "--dead-letters",
            "--threads",
            "--state-dir",
            "--commit-interval-ms",
            "--poll-ms");

    /** @throws IllegalArgumentException with an explanation for the user */
    static Options parse(String... arguments) {
        Map<String, String> given = new HashMap<>();
        for (int at = 0; at < arguments.length; at += 2) {
            if (!NAMES.contains(arguments[at])) {
                throw new IllegalArgumentException("unknown option " + arguments[at]);
            }
            if (at + 1 == arguments.length) {
                throw new IllegalArgumentException(arguments[at] + " needs a value");
            }
            given.put(arguments[at], arguments[at + 1]);
        }
        return new Options(
                variant(required(given, "--variant")),
                required(given, "--bootstrap"),
                required(given, "--ingest"),
                required(given, "--prefix"),
                required(given, "--application"),
                required(given, "--dead-letters"),
                number("--threads", required(given, "--threads")),
                required(given, "--state-dir"),
                number("--commit-interval-ms", given.get("--commit-interval-ms")),
                number("--poll-ms", given.get("--poll-ms")));
    }

    private static Variant variant(String name) {
        return switch (name) {
            case "hand-coded" -> Variant.HAND_CODED;
            case "fhirpath" -> Variant.FHIRPATH;
            default -> throw new IllegalArgumentException("--variant is hand-coded or fhirpath");
        };
    }

    private static String required(Map<String, String> given, String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    private static Integer number(String name, String text) {
        try {
            return text == null ? null : Integer.valueOf(text);
        } catch (NumberFormatException noNumber) {
            throw new IllegalArgumentException(name + " is a number", noNumber);
        }
    }
}
