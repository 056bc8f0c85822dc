package fanout.peers;

import java.nio.charset.StandardCharsets;

/** Text as JSON. */
final class JsonText {
    private JsonText() {}

    /** The text as it stands in a JSON string in UTF-8, without quotes; only what has to be escaped is. */
    static byte[] escaped(String text) {
        if (hasEscapes(text)) {
            return escape(text).getBytes(StandardCharsets.UTF_8);
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static boolean hasEscapes(String text) {
        for (int at = 0; at < text.length(); at++) {
            char character = text.charAt(at);
            if (character < 0x20 || character == '"' || character == '\\') {
                return true;
            }
        }
        return false;
    }

    private static String escape(String text) {
        StringBuilder out = new StringBuilder(text.length() + 16);
        for (int at = 0; at < text.length(); at++) {
            char character = text.charAt(at);
            switch (character) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (character < 0x20) {
                        out.append("\\u00").append(character < 0x10 ? '0' : '1');
                        out.append(Character.forDigit(character & 15, 16));
                    } else {
                        out.append(character);
                    }
                }
            }
        }
        return out.toString();
    }
}
