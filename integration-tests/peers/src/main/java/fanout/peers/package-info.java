/**
 * The fan-out as a Kafka Streams program, to measure fhir-fanout against: W1's topics and destinations, fixed, by two
 * kinds of criteria.
 *
 * <pre>
 * record -> EventReader (one pass of Jackson's streaming parser) -> Event -> Criteria, Organizations
 *                                                                               |
 *                 dead letter, or per destination: NotificationWriter <---------'  -> sinks
 * </pre>
 *
 * Keys and values are those of fhir-fanout, byte for byte; headers too, except {@code fhir-plan}.
 */
package fanout.peers;
