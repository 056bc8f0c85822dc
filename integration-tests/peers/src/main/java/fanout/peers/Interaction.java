package fanout.peers;

/** What was done to a resource. */
enum Interaction {
    CREATE("create", "POST"),
    UPDATE("update", "PUT"),
    DELETE("delete", "DELETE");

    final String code;
    final String method;

    Interaction(String code, String method) {
        this.code = code;
        this.method = method;
    }

    /** The interaction of this code; null if there is none. */
    static Interaction of(String code) {
        for (Interaction interaction : values()) {
            if (interaction.code.equals(code)) {
                return interaction;
            }
        }
        return null;
    }
}
