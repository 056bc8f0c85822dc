package fanout.peers;

import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** Every option that is set, with its reason. What is not here is Kafka Streams' default. */
final class StreamsSettings {
    private static final int KIB = 1024;
    private static final int MIB = 1024 * KIB;

    private StreamsSettings() {}

    static Properties of(Options options) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.application());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.bootstrap());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, options.stateDir());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.threads());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        // There are no stores whose writes could be put together.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        if (options.commitIntervalMs() != null) {
            settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.commitIntervalMs());
        }
        if (options.pollMs() != null) {
            settings.put(StreamsConfig.POLL_MS_CONFIG, options.pollMs());
        }
        consumer(settings);
        producer(settings);
        return settings;
    }

    private static void consumer(Properties settings) {
        // A backlog is taken in large bites: a tenth less CPU than with the defaults, for 250 MB more at the peak.
        consumer(settings, ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 4000);
        consumer(settings, ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4 * MIB);
        // As the system finds right.
        consumer(settings, ConsumerConfig.RECEIVE_BUFFER_CONFIG, -1);
    }

    private static void producer(Properties settings) {
        // Notifications of 3 KB: the default of 16 KiB would make a batch of every five. What a commit interval brings
        // for one partition fits into this.
        producer(settings, ProducerConfig.BATCH_SIZE_CONFIG, 256 * KIB);
        producer(settings, ProducerConfig.BUFFER_MEMORY_CONFIG, 64L * MIB);
        // After a commit the next transaction's first request may come too early (CONCURRENT_TRANSACTIONS): try again
        // soon. The default of 100 ms is as long as a whole commit interval.
        producer(settings, ProducerConfig.RETRY_BACKOFF_MS_CONFIG, 10L);
        // As fhir-fanout's maxMessageBytes.
        producer(settings, ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 10 * MIB);
        producer(settings, ProducerConfig.SEND_BUFFER_CONFIG, -1);
        // As fhir-fanout's defaults.
        producer(settings, ProducerConfig.COMPRESSION_TYPE_CONFIG, "none");
        producer(settings, ProducerConfig.ACKS_CONFIG, "all");
    }

    private static void consumer(Properties settings, String name, Object value) {
        settings.put(StreamsConfig.mainConsumerPrefix(name), value);
    }

    private static void producer(Properties settings, String name, Object value) {
        settings.put(StreamsConfig.producerPrefix(name), value);
    }
}
