package fanout.peers;

/** Decides about events; one for each stream thread's task. */
interface Criteria {
    /** Looks at the members of {@code resource} while the record is read. */
    default EventReader.Members ofResource() {
        return EventReader.NONE;
    }

    /** Looks at those of {@code previous}. */
    default EventReader.Members ofPrevious() {
        return EventReader.NONE;
    }

    /** Another event was read. */
    default void begin(Event event) {}

    /** Whether the criterion of the topic at this position of the plan holds for the event. */
    boolean holds(int topic);
}
