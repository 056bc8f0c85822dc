package fanout.peers;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * The organization filter: an event passes where its organization equals the one required or is under it. Everything
 * unclear fails closed.
 *
 * <p>The walk upwards is done once, when the program starts: for each organization, which of the required ones it
 * passes, as a set of bits.
 */
final class Organizations {
    private final Map<String, String> parents;
    private final Map<String, Long> bits = new HashMap<>();
    private final Map<String, Long> passed = new HashMap<>();

    Organizations(Map<String, String> parents) {
        this.parents = parents;
    }

    /** Registers an organization that a topic or destination requires; gives its bit, 0 for none required. */
    long require(String required) {
        if (required == null) {
            return 0;
        }
        Long known = bits.get(required);
        if (known != null) {
            return known;
        }
        if (bits.size() == Long.SIZE) {
            throw new IllegalArgumentException("more than 64 different organizations are required");
        }
        long bit = 1L << bits.size();
        bits.put(required, bit);
        Set<String> named = new HashSet<>(parents.keySet());
        named.add(required);
        for (String organization : named) {
            if (isUnder(organization, required)) {
                passed.merge(organization, bit, (one, other) -> one | other);
            }
        }
        return bit;
    }

    /** The bits of the required organizations that an event of this one (null: of none) passes. */
    long passedBy(String organization) {
        Long found = organization == null ? null : passed.get(organization);
        return found == null ? 0 : found;
    }

    /** Steps are bounded, so that a cycle ends. */
    private boolean isUnder(String organization, String ancestor) {
        String at = organization;
        for (int steps = 0; at != null && steps <= parents.size(); steps++) {
            if (at.equals(ancestor)) {
                return true;
            }
            at = parents.get(at);
        }
        return false;
    }
}
