package fanout.peers;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import org.hl7.fhir.exceptions.PathEngineException;
import org.hl7.fhir.r4.fhirpath.ExpressionNode;
import org.hl7.fhir.r4.fhirpath.FHIRPathEngine;
import org.hl7.fhir.r4.fhirpath.FHIRPathUtilityClasses.FunctionDetails;
import org.hl7.fhir.r4.fhirpath.IHostApplicationServices;
import org.hl7.fhir.r4.fhirpath.TypeDetails;
import org.hl7.fhir.r4.hapi.ctx.HapiWorkerContext;
import org.hl7.fhir.r4.model.Base;
import org.hl7.fhir.r4.model.BooleanType;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r4.model.ValueSet;
import org.hl7.fhir.utilities.fhirpath.FHIRPathConstantEvaluationMode;

/**
 * Any criteria, as FHIRPath texts that HAPI's engine evaluates on R4 resources. An expression is parsed once, a
 * resource once for each version that a criterion of the event asks for.
 */
final class FhirPath implements Criteria {
    private final FHIRPathEngine engine;
    private final ExpressionNode[] expressions;

    private Event event;
    private Resource focus;
    private Resource previous;

    private FhirPath(HapiWorkerContext definitions, List<Plan.Topic> topics) {
        engine = new FHIRPathEngine(definitions);
        engine.setHostServices(new States());
        expressions = topics.stream()
                .map(topic -> topic.criterion() == null ? null : engine.parse(topic.criterion()))
                .toArray(ExpressionNode[]::new);
    }

    /** Makes the criteria of one task each; what is large and never changes is made once. */
    static Supplier<Criteria> of(List<Plan.Topic> topics) {
        FhirContext fhir = FhirContext.forR4();
        HapiWorkerContext definitions = new HapiWorkerContext(fhir, new DefaultProfileValidationSupport(fhir));
        return () -> new FhirPath(definitions, topics);
    }

    @Override
    public void begin(Event event) {
        this.event = event;
        focus = null;
        previous = null;
    }

    @Override
    public boolean holds(int topic) {
        if (focus == null && event.focus != null) {
            focus = parse(event.focus);
        }
        List<Base> result = engine.evaluate(this, focus, focus, focus, expressions[topic]);
        if (result.isEmpty()) {
            return false;
        }
        if (result.size() == 1 && result.get(0) instanceof BooleanType answer) {
            return answer.booleanValue();
        }
        throw new PathEngineException("the criterion gave no boolean");
    }

    private List<Base> current() {
        return event.currentState() == null ? List.of() : List.of(focus);
    }

    private List<Base> previous() {
        Event.Resource state = event.previousState();
        if (state == null) {
            return List.of();
        }
        if (state == event.focus) {
            return List.of(focus);
        }
        if (previous == null) {
            previous = parse(state);
        }
        return List.of(previous);
    }

    /**
     * The generated parser of the R4 model over gson: about a fifth less CPU than HAPI's own, which goes by reflection.
     * A new one each time, since it remembers elements with ids.
     */
    private Resource parse(Event.Resource resource) {
        int length = resource.end - resource.start;
        ByteArrayInputStream bytes = new ByteArrayInputStream(event.value, resource.start, length);
        try (Reader text = new InputStreamReader(bytes, StandardCharsets.UTF_8)) {
            JsonObject json = JsonParser.parseReader(text).getAsJsonObject();
            return new org.hl7.fhir.r4.formats.JsonParser(true, true).parse(json);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    /** What criteria find under {@code %current} and {@code %previous}; an evaluation's context is its criteria. */
    private static final class States implements IHostApplicationServices {
        @Override
        public List<Base> resolveConstant(
                FHIRPathEngine engine, Object context, String name, FHIRPathConstantEvaluationMode mode) {
            if (mode != FHIRPathConstantEvaluationMode.EXPLICIT) {
                return List.of();
            }
            return switch (name) {
                case "current" -> ((FhirPath) context).current();
                case "previous" -> ((FhirPath) context).previous();
                default -> throw new PathEngineException("a variable is unknown");
            };
        }

        @Override
        public TypeDetails resolveConstantType(
                FHIRPathEngine engine, Object context, String name, FHIRPathConstantEvaluationMode mode) {
            return null;
        }

        @Override
        public boolean log(String argument, List<Base> focus) {
            return true;
        }

        @Override
        public FunctionDetails resolveFunction(FHIRPathEngine engine, String name) {
            return null;
        }

        @Override
        public TypeDetails checkFunction(
                FHIRPathEngine engine, Object context, String name, TypeDetails focus, List<TypeDetails> parameters) {
            throw new UnsupportedOperationException("there are no functions but FHIRPath's");
        }

        @Override
        public List<Base> executeFunction(
                FHIRPathEngine engine, Object context, List<Base> focus, String name, List<List<Base>> parameters) {
            throw new UnsupportedOperationException("there are no functions but FHIRPath's");
        }

        @Override
        public Base resolveReference(FHIRPathEngine engine, Object context, String url, Base reference) {
            return null;
        }

        @Override
        public boolean conformsToProfile(FHIRPathEngine engine, Object context, Base item, String url) {
            throw new UnsupportedOperationException("profiles are not there");
        }

        @Override
        public ValueSet resolveValueSet(FHIRPathEngine engine, Object context, String url) {
            return null;
        }

        @Override
        public boolean paramIsType(String name, int index) {
            return false;
        }
    }
}
