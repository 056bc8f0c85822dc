//! What is known of FHIRPath's functions and variables beyond the engine's registry.

/// Why a function is refused.
pub(super) fn refusal(function: &str) -> Option<&'static str> {
    Some(match function {
        "memberOf" | "subsumes" | "subsumedBy" | "expand" | "lookup" | "validateVS" | "validateCS" | "translate"
        | "weight" | "ordinal" | "simpleExpand" => {
            "it needs a terminology service, and criteria are evaluated without I/O"
        }
        "conformsTo" | "elementDefinition" | "slice" => "it needs profiles, and criteria are evaluated without them",
        "at" | "read" | "create" | "update" | "delete" | "search" | "patch" | "capabilities" | "validate"
        | "transform" | "everything" | "apply" | "serverCreate" | "serverUpdate" | "serverDelete" | "serverSearch"
        | "serverPatch" | "serverValidate" => "it needs a FHIR server, and criteria are evaluated without I/O",
        "withExtension" | "withProperty" | "Extension" | "Identifier" | "HumanName" | "ContactPoint" | "Address"
        | "Quantity" | "Coding" | "CodeableConcept" => "a criterion decides about a resource and makes none",
        super::functions::TOLL => "it is the service's own",
        "random" | "uuid" | "newGuid" => "the same event must always give the same result",
        _ => return None,
    })
}

/// Why a variable is refused.
pub(super) fn variable_refusal(variable: &str) -> Option<&'static str> {
    Some(match variable {
        "terminologies" => "there is no terminology service, criteria are evaluated without I/O",
        "server" => "there is no FHIR server, criteria are evaluated without I/O",
        "factory" => "a criterion decides about a resource and makes none",
        _ => return None,
    })
}

/// The variables that every criterion has, as they are written.
pub(super) const VARIABLES: [&str; 11] = [
    "%current",
    "%previous",
    "%resource",
    "%rootResource",
    "%context",
    "%sct",
    "%loinc",
    "%ucum",
    "$this",
    "$index",
    "$total",
];

/// Functions whose arguments are evaluated for each item of the input.
pub(super) fn is_lambda(function: &str) -> bool {
    matches!(
        function,
        "where"
            | "select"
            | "all"
            | "exists"
            | "repeat"
            | "repeatAll"
            | "aggregate"
            | "sort"
            | "iif"
            | "trace"
            | "defineVariable"
    )
}

/// Functions that take a type name.
pub(super) fn takes_type(function: &str) -> bool {
    matches!(function, "is" | "as" | "ofType")
}

/// Functions that do not look at what they are called on, when they are called on nothing.
pub(super) fn ignores_input(function: &str) -> bool {
    matches!(function, "now" | "today" | "timeOfDay" | "iif" | "defineVariable" | "coalesce")
}

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// Items of its input.
    Input,
    /// Values of this type.
    Type(&'static str),
    /// Values of the type that its argument names.
    NamedType,
    /// What its first argument gives.
    Argument,
    /// Nothing that is known here.
    Unknown,
}

/// What a function gives.
pub(super) fn gives(function: &str) -> Gives {
    match function {
        "where" | "first" | "last" | "single" | "tail" | "skip" | "take" | "distinct" | "trace" | "exclude"
        | "intersect" | "sort" | "defineVariable" | "getValue" => Gives::Input,
        "select" => Gives::Argument,
        "as" | "ofType" => Gives::NamedType,
        "exists" | "empty" | "all" | "allTrue" | "anyTrue" | "allFalse" | "anyFalse" | "not" | "contains"
        | "startsWith" | "endsWith" | "matches" | "matchesFull" | "isDistinct" | "subsetOf" | "supersetOf"
        | "hasValue" | "is" | "convertsToBoolean" | "convertsToInteger" | "convertsToDecimal" | "convertsToString"
        | "convertsToDate" | "convertsToDateTime" | "convertsToTime" | "convertsToQuantity" | "comparable"
        | "checkModifiers" | "htmlChecks" | "hasTemplateIdOf" | "toBoolean" => Gives::Type(BOOLEAN),
        "count" | "length" | "indexOf" | "lastIndexOf" | "toInteger" | "ceiling" | "floor" | "truncate"
        | "precision" => Gives::Type("integer"),
        "toDecimal" | "exp" | "ln" | "log" | "sqrt" => Gives::Type("decimal"),
        "toString" | "substring" | "upper" | "lower" | "replace" | "replaceMatches" | "join" | "split" | "toChars"
        | "encode" | "decode" | "escape" | "unescape" | "trim" => Gives::Type("string"),
        "toDate" | "today" => Gives::Type("date"),
        "toDateTime" | "now" => Gives::Type("dateTime"),
        "toTime" | "timeOfDay" => Gives::Type("time"),
        "toQuantity" => Gives::Type("Quantity"),
        "extension" => Gives::Type("Extension"),
        _ => Gives::Unknown,
    }
}

/// The name of the boolean type in the tables, for FHIRPath's own as well.
pub(super) const BOOLEAN: &str = "boolean";

/// The candidate that a misspelt name probably means.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored =
        candidates.into_iter().map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0).then_with(|| right.1.cmp(left.1)))?;
    (best.0 >= 0.6).then_some(best.1)
}
