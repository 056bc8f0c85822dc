package fanout.peers;

import java.time.Instant;
import java.time.Year;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** FHIR instants: what counts as one, and the record's time written as one. */
final class Instants {
    private static final DateTimeFormatter MILLIS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final int[] DAYS = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    private Instants() {}

    /** Whether the text is a full instant: date, time to the second at least, and an offset, all in their ranges. */
    static boolean isInstant(String text) {
        if (text.length() < 20 || !hasShape(text)) {
            return false;
        }
        int year = number(text, 0, 4);
        int month = number(text, 5, 7);
        int day = number(text, 8, 10);
        int hour = number(text, 11, 13);
        int minute = number(text, 14, 16);
        int second = number(text, 17, 19);
        if (year < 1 || month < 1 || month > 12 || day < 1 || day > DAYS[month - 1]) {
            return false;
        }
        if (month == 2 && day == 29 && !Year.isLeap(year)) {
            return false;
        }
        if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
            return false;
        }
        int offset = 19;
        if (text.charAt(offset) == '.') {
            offset++;
            while (offset < text.length() && isDigit(text.charAt(offset))) {
                offset++;
            }
            if (offset < 21 || offset > 29) {
                return false;
            }
        }
        return isOffset(text, offset);
    }

    private static boolean hasShape(String text) {
        return text.charAt(4) == '-'
                && text.charAt(7) == '-'
                && text.charAt(10) == 'T'
                && text.charAt(13) == ':'
                && text.charAt(16) == ':';
    }

    private static boolean isOffset(String text, int at) {
        int length = text.length() - at;
        if (length == 1) {
            return text.charAt(at) == 'Z';
        }
        if (length != 6 || text.charAt(at) != '+' && text.charAt(at) != '-' || text.charAt(at + 3) != ':') {
            return false;
        }
        int hours = number(text, at + 1, at + 3);
        int minutes = number(text, at + 4, at + 6);
        return hours >= 0 && minutes >= 0 && minutes < 60 && (hours < 14 || hours == 14 && minutes == 0);
    }

    /** The number that these digits are; -1 when they are none. */
    private static int number(String text, int from, int to) {
        int number = 0;
        for (int at = from; at < to; at++) {
            if (!isDigit(text.charAt(at))) {
                return -1;
            }
            number = number * 10 + text.charAt(at) - '0';
        }
        return number;
    }

    private static boolean isDigit(char character) {
        return character >= '0' && character <= '9';
    }

    /** Milliseconds since 1970 as an instant in UTC; null for a time that no instant can tell. */
    static String ofMillis(long millis) {
        boolean hasInstant = millis >= -62_135_596_800_000L && millis < 253_402_300_800_000L;
        return hasInstant ? MILLIS.format(Instant.ofEpochMilli(millis)) : null;
    }
}
