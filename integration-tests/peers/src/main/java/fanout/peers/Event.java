package fanout.peers;

/** One change of one resource, as its record tells it. Written over for each record. */
final class Event {
    /** A resource inside the record: where its bytes are, and the few members that every event is asked for. */
    static final class Resource {
        /** Whether the record has it; null is absent. */
        boolean present;
        /** Whether it is an object. */
        boolean object;
        /** Where its text begins and ends in the record's value. */
        int start;
        int end;
        String type;
        String id;
        String lastUpdated;
        /** {@code Organization/id} of the tenant extension; null for none or an unreadable one: both fail closed. */
        String organization;

        void clear() {
            present = false;
            object = false;
            type = null;
            id = null;
            clearMeta();
        }

        void clearMeta() {
            lastUpdated = null;
            organization = null;
        }

        boolean isUsable() {
            return object && type != null && id != null && References.isTypeName(type) && References.isId(id);
        }
    }

    Interaction interaction;
    /** The record's value; resources are parts of it. */
    byte[] value;
    final Resource resource = new Resource();
    final Resource previous = new Resource();
    /** The focus: {@code resource}, or {@code previous} of a delete without one; null if a delete came without any. */
    Resource focus;
    String type;
    String id;
    String timestamp;
    /** Whether the envelope names an organization, which then counts instead of the focus's. */
    boolean namesOrganization;
    String namedOrganization;

    /** The version before an update, where the record carries it; a delete's last known state; else null. */
    Resource previousState() {
        return switch (interaction) {
            case CREATE -> null;
            case UPDATE -> previous.present ? previous : null;
            case DELETE -> focus;
        };
    }

    /** The version that is there now; null after a delete. */
    Resource currentState() {
        return interaction == Interaction.DELETE ? null : focus;
    }

    /** The organization that the event belongs to; null for none. */
    String organization() {
        if (namesOrganization) {
            return namedOrganization;
        }
        return focus == null ? null : focus.organization;
    }

    /** The first full instant among its own time, {@code meta.lastUpdated} and the record's; null if there is none. */
    String time(long recordMillis) {
        if (timestamp != null && Instants.isInstant(timestamp)) {
            return timestamp;
        }
        if (focus != null && focus.lastUpdated != null && Instants.isInstant(focus.lastUpdated)) {
            return focus.lastUpdated;
        }
        return Instants.ofMillis(recordMillis);
    }
}
