package fanout.peers;

/** Literal references, and the longer forms that are reduced to {@code Type/id}. */
final class References {
    private References() {}

    /**
     * Reduces a literal reference to its {@code Type/id}: relative as it is, absolute and versioned ones cut. Null for
     * everything else: {@code urn:}, {@code #contained}, conditional references, text.
     */
    static String reduce(String reference) {
        if (reference.indexOf('?') >= 0) {
            return null;
        }
        String path = before(before(reference, "#"), "/_history");
        int scheme = path.indexOf("://");
        int start = path.lastIndexOf('/', path.lastIndexOf('/') - 1) + 1;
        if (scheme < 0 && start > 0) {
            return null;
        }
        // Scheme and authority are no part of the path: http://Host/x names no resource of type Host.
        if (scheme >= 0 && start <= scheme + 3) {
            return null;
        }
        String reduced = path.substring(start);
        return isIdentity(reduced) ? reduced : null;
    }

    /** Whether this is {@code Type/id} and nothing longer. */
    private static boolean isIdentity(String text) {
        int slash = text.indexOf('/');
        return slash > 0 && isTypeName(text.substring(0, slash)) && isId(text.substring(slash + 1));
    }

    private static String before(String text, String end) {
        int at = text.indexOf(end);
        return at < 0 ? text : text.substring(0, at);
    }

    /** Whether this can be the name of a resource type. */
    static boolean isTypeName(String text) {
        if (text.length() < 2 || text.charAt(0) < 'A' || text.charAt(0) > 'Z') {
            return false;
        }
        for (int at = 1; at < text.length(); at++) {
            int letter = text.charAt(at) | 0x20;
            if (text.charAt(at) > 'z' || letter < 'a' || letter > 'z') {
                return false;
            }
        }
        return true;
    }

    /** Whether this can be an id: not empty, and free of what would break references, keys and headers. */
    static boolean isId(String text) {
        if (text.isEmpty()) {
            return false;
        }
        for (int at = 0; at < text.length(); at++) {
            char character = text.charAt(at);
            if (character == '/' || Character.isISOControl(character) || isWhiteSpace(character)) {
                return false;
            }
        }
        return true;
    }

    /** Unicode's White_Space without the controls. */
    private static boolean isWhiteSpace(char character) {
        return character == ' ' || character >= 0x80 && Character.isSpaceChar(character);
    }
}
