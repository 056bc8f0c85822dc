package fanout.peers;

import fanout.peers.Plan.Content;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;

/**
 * Notification Bundles: the resource's own bytes between prepared pieces, each Bundle written once, into an array of
 * its size.
 *
 * <pre>
 * HEAD id TYPE [TIME time "] ENTRY [FOCUS focus "}] statusEnd
 *     [,{ ["resource": BYTES ,] "fullUrl":"base focus ","request":{"method":"M","url":"path target "}}] ]}
 * </pre>
 */
final class NotificationWriter {
    private static final byte[] HEAD = ascii("{\"resourceType\":\"Bundle\",\"id\":\"");
    private static final byte[] TYPE = ascii("\",\"type\":\"history\"");
    private static final byte[] TIME = ascii(",\"timestamp\":\"");
    private static final byte[] ENTRY = ascii(",\"entry\":[{\"resource\":{"
            + "\"resourceType\":\"AidboxSubscriptionStatus\",\"status\":\"active\","
            + "\"type\":\"event-notification\",\"notificationEvent\":[{\"eventNumber\":1");
    private static final byte[] FOCUS = ascii(",\"focus\":{\"reference\":\"");
    private static final byte[] FOCUS_END = ascii("\"}");
    private static final byte[] SECOND_ENTRY = ascii(",{");
    private static final byte[] RESOURCE = ascii("\"resource\":");
    private static final byte[] REQUEST_END = ascii("\"}}");
    private static final byte[] END = ascii("]}");

    /** What is the same in every notification of a destination. */
    static final class DestinationParts {
        final byte[] id;
        final Content content;
        /** From the end of {@code notificationEvent} to the end of the status entry. */
        final byte[] statusEnd;

        DestinationParts(Plan.Topic topic, Plan.Destination destination) {
            id = destination.id().getBytes(StandardCharsets.UTF_8);
            content = destination.content();
            statusEnd = join(
                    ascii("}],\"topic\":\""),
                    JsonText.escaped(topic.url()),
                    ascii("\",\"topic-destination\":{\"reference\":\"AidboxTopicDestination/"),
                    JsonText.escaped(destination.id()),
                    ascii("\"}}}"));
        }
    }

    /** What is the same in every notification of an event. */
    static final class EventParts {
        /** {@code Type/id}. */
        final byte[] focus;
        private final byte[] focusJson;
        private final byte[] target;
        private final byte[] request;
        private final byte[] time;
        private final byte[] origin;
        private final byte[] value;
        private final int resourceStart;
        private final int resourceLength;

        private EventParts(Event event, byte[] request, String time, byte[] origin) {
            String text = event.type + "/" + event.id;
            focus = text.getBytes(StandardCharsets.UTF_8);
            focusJson = JsonText.escaped(text);
            target = event.interaction == Interaction.CREATE ? ascii(event.type) : focusJson;
            this.request = request;
            this.time = time == null ? null : ascii(time);
            this.origin = origin;
            value = event.value;
            Event.Resource carried = event.currentState();
            resourceStart = carried == null ? 0 : carried.start;
            resourceLength = carried == null ? 0 : carried.end - carried.start;
        }
    }

    private final BundleIds ids = new BundleIds();
    private final byte[] fullUrl;
    /** From behind {@code fullUrl} to the path of {@code request.url}, by interaction. */
    private final byte[][] requests;

    NotificationWriter(String fhirBaseUrl) {
        String base = fhirBaseUrl.replaceAll("/+$", "");
        int authority = base.indexOf("://");
        int path = authority < 0 ? 0 : base.indexOf('/', authority + 3);
        byte[] pathBase = JsonText.escaped((path < 0 ? "" : base.substring(path)) + "/");
        fullUrl = join(ascii("\"fullUrl\":\""), JsonText.escaped(base.isEmpty() ? "" : base + "/"));
        requests = Stream.of(Interaction.values())
                .map(interaction -> ascii("\",\"request\":{\"method\":\"" + interaction.method + "\",\"url\":\""))
                .map(request -> join(request, pathBase))
                .toArray(byte[][]::new);
    }

    EventParts parts(Event event, String time, byte[] origin) {
        return new EventParts(event, requests[event.interaction.ordinal()], time, origin);
    }

    byte[] write(EventParts event, DestinationParts destination) {
        boolean hasFocus = destination.content != Content.EMPTY;
        boolean hasResource = destination.content == Content.FULL_RESOURCE && event.resourceLength > 0;
        byte[] out = new byte[length(event, destination, hasFocus, hasResource)];
        int at = put(HEAD, out, 0);
        ids.write(event.origin, destination.id, out, at);
        at = put(TYPE, out, at + BundleIds.LENGTH);
        if (event.time != null) {
            at = put(TIME, out, at);
            at = put(event.time, out, at);
            out[at++] = '"';
        }
        at = put(ENTRY, out, at);
        if (hasFocus) {
            at = put(FOCUS, out, at);
            at = put(event.focusJson, out, at);
            at = put(FOCUS_END, out, at);
        }
        at = put(destination.statusEnd, out, at);
        if (hasFocus) {
            at = put(SECOND_ENTRY, out, at);
            if (hasResource) {
                at = put(RESOURCE, out, at);
                System.arraycopy(event.value, event.resourceStart, out, at, event.resourceLength);
                at += event.resourceLength;
                out[at++] = ',';
            }
            at = put(fullUrl, out, at);
            at = put(event.focusJson, out, at);
            at = put(event.request, out, at);
            at = put(event.target, out, at);
            at = put(REQUEST_END, out, at);
        }
        put(END, out, at);
        return out;
    }

    private int length(EventParts event, DestinationParts destination, boolean hasFocus, boolean hasResource) {
        int length =
                HEAD.length + BundleIds.LENGTH + TYPE.length + ENTRY.length + destination.statusEnd.length + END.length;
        if (event.time != null) {
            length += TIME.length + event.time.length + 1;
        }
        if (hasFocus) {
            length += FOCUS.length + event.focusJson.length + FOCUS_END.length + SECOND_ENTRY.length;
            length += fullUrl.length + event.focusJson.length + event.request.length + event.target.length;
            length += REQUEST_END.length;
        }
        if (hasResource) {
            length += RESOURCE.length + event.resourceLength + 1;
        }
        return length;
    }

    private static int put(byte[] part, byte[] out, int at) {
        System.arraycopy(part, 0, out, at, part.length);
        return at + part.length;
    }

    private static byte[] join(byte[]... parts) {
        byte[] out = new byte[Stream.of(parts).mapToInt(part -> part.length).sum()];
        int at = 0;
        for (byte[] part : parts) {
            at = put(part, out, at);
        }
        return out;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
