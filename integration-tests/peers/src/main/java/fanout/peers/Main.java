package fanout.peers;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs a variant until SIGTERM; ends with another exit code than 0 when it cannot go on. */
public final class Main {
    private static final Duration CLOSE_WITHIN = Duration.ofSeconds(10);
    private static final int WRONG_COMMAND_LINE = 64;

    private Main() {}

    /** @param arguments see {@link Options#USAGE} */
    public static void main(String[] arguments) throws InterruptedException {
        Options options;
        try {
            options = Options.parse(arguments);
        } catch (IllegalArgumentException wrong) {
            System.err.println(wrong.getMessage() + "\n" + Options.USAGE);
            System.exit(WRONG_COMMAND_LINE);
            return;
        }
        run(options);
        System.exit(1);
    }

    /** Returns when the streams have failed. */
    private static void run(Options options) throws InterruptedException {
        Plan plan = W1.plan();
        Supplier<Criteria> criteria = switch (options.variant()) {
            case HAND_CODED -> () -> new HandCoded(plan.topics());
            case FHIRPATH -> FhirPath.of(plan.topics());
        };
        KafkaStreams streams =
                new KafkaStreams(FanoutTopology.build(plan, options, criteria), StreamsSettings.of(options));
        CountDownLatch failed = new CountDownLatch(1);
        AtomicBoolean said = new AtomicBoolean();
        streams.setStateListener((now, before) -> {
            if (now == State.RUNNING && said.compareAndSet(false, true)) {
                System.out.println("READY");
            } else if (now == State.ERROR) {
                failed.countDown();
            }
        });
        streams.setUncaughtExceptionHandler(error -> {
            explain(error);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE_WITHIN)));
        streams.start();
        failed.await();
    }

    private static void explain(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            System.err.println("fanout-peers: " + cause);
        }
    }
}
