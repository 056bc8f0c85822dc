package fanout.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.Test;

class OrganizationsTest {
    private static boolean passes(Map<String, String> parents, String event, String required) {
        Organizations organizations = new Organizations(parents);
        long bit = organizations.require(required);
        return (organizations.passedBy(event) & bit) == bit;
    }

    @Test
    void equalOrUnderPassesAndNothingElse() {
        Map<String, String> parents = Map.of("Organization/b", "Organization/a", "Organization/c", "Organization/b");
        assertEquals(true, passes(parents, "Organization/a", "Organization/a"));
        assertEquals(true, passes(parents, "Organization/c", "Organization/a"));
        assertEquals(false, passes(parents, "Organization/a", "Organization/b"));
        assertEquals(false, passes(parents, "Organization/z", "Organization/a"));
        assertEquals(false, passes(parents, null, "Organization/a"));
    }

    @Test
    void anOrganizationOutsideOfTheHierarchyEqualsItselfOnly() {
        assertEquals(true, passes(Map.of(), "Organization/z", "Organization/z"));
        assertEquals(false, passes(Map.of("Organization/b", "Organization/a"), "Organization/b", "Organization/z"));
    }

    @Test
    void whatRequiresNoneTakesAll() {
        assertEquals(true, passes(Map.of(), null, null));
    }

    @Test
    void aCycleEnds() {
        Map<String, String> parents = Map.of("Organization/a", "Organization/b", "Organization/b", "Organization/a");
        assertEquals(true, passes(parents, "Organization/a", "Organization/b"));
        assertEquals(false, passes(parents, "Organization/a", "Organization/x"));
    }

    @Test
    void severalRequiredOrganizationsAreKeptApart() {
        Organizations organizations = new Organizations(W1.plan().parents());
        long first = organizations.require("Organization/region-1");
        long second = organizations.require("Organization/region-2");
        assertEquals(first, organizations.require("Organization/region-1"));
        assertEquals(first, organizations.passedBy("Organization/ward-13"));
        assertEquals(second, organizations.passedBy("Organization/hospital-6"));
        assertEquals(0, organizations.passedBy("Organization/network"));
    }

    @Test
    void theWorkloadHas50OrganizationsIn4Levels() {
        Map<String, String> parents = W1.plan().parents();
        assertEquals(49, parents.size());
        assertEquals("Organization/hospital-9", parents.get("Organization/ward-33"));
        assertEquals("Organization/region-1", parents.get("Organization/hospital-9"));
        assertEquals("Organization/network", parents.get("Organization/region-1"));
    }
}
