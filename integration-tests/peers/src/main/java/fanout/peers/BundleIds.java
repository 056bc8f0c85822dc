package fanout.peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Ids of notifications: UUIDv5 of the source Kafka topic's length and name, partition, offset, the event's index in the
 * record (here always 0: a record is one event) and the destination's id. Not for use by several threads.
 */
final class BundleIds {
    /** How long an id's text is. */
    static final int LENGTH = 36;

    private static final byte[] NAMESPACE = bytes(0x20b2bad265324683L, 0x82a729090c75f4ebL);
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final MessageDigest sha1;
    private final byte[] hash = new byte[20];

    BundleIds() {
        try {
            sha1 = MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-1", impossible);
        }
    }

    /** What the names of all notifications of a record begin with. */
    static byte[] origin(String kafkaTopic, int partition, long offset) {
        byte[] topic = kafkaTopic.getBytes(StandardCharsets.UTF_8);
        ByteBuffer origin = ByteBuffer.allocate(20 + topic.length);
        return origin.putInt(topic.length).put(topic).putInt(partition).putLong(offset).putInt(0).array();
    }

    /** Writes the id of the notification for a destination. */
    void write(byte[] origin, byte[] destination, byte[] out, int at) {
        sha1.update(NAMESPACE);
        sha1.update(origin);
        sha1.update(destination);
        try {
            sha1.digest(hash, 0, hash.length);
        } catch (DigestException impossible) {
            throw new IllegalStateException("SHA-1 has 20 bytes", impossible);
        }
        hash[6] = (byte) (hash[6] & 0x0F | 0x50);
        hash[8] = (byte) (hash[8] & 0x3F | 0x80);
        for (int index = 0; index < 16; index++) {
            if (index == 4 || index == 6 || index == 8 || index == 10) {
                out[at++] = '-';
            }
            out[at++] = HEX[hash[index] >> 4 & 15];
            out[at++] = HEX[hash[index] & 15];
        }
    }

    private static byte[] bytes(long high, long low) {
        return ByteBuffer.allocate(16).putLong(high).putLong(low).array();
    }
}
