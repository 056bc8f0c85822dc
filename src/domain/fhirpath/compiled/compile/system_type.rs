//! FHIRPath's own types of values.

use super::super::program::TypeId;
use super::super::value::{Primitive, Value};

/// The type of a value.
pub(in super::super) fn of_value(value: Value<'_>) -> TypeId {
    match value {
        Value::Boolean(_) => TypeId::BOOLEAN,
        Value::Integer(_) => TypeId::INTEGER,
        Value::Decimal(_) => TypeId::DECIMAL,
        Value::String(_) => TypeId::STRING,
        Value::Date(_) => TypeId::DATE,
        Value::DateTime(_) => TypeId::DATE_TIME,
        Value::Time(_) => TypeId::TIME,
        Value::Quantity(_) => TypeId::QUANTITY,
    }
}

/// The type of the values of a FHIR primitive.
pub(in super::super) fn of_primitive(primitive: Primitive) -> TypeId {
    match primitive {
        Primitive::Boolean => TypeId::BOOLEAN,
        Primitive::Integer | Primitive::Integer64 => TypeId::INTEGER,
        Primitive::Decimal => TypeId::DECIMAL,
        Primitive::String => TypeId::STRING,
        Primitive::Date => TypeId::DATE,
        Primitive::DateTime => TypeId::DATE_TIME,
        Primitive::Time => TypeId::TIME,
    }
}

/// The type of this name.
pub(super) fn named(name: &str) -> Option<TypeId> {
    Some(match name {
        "Boolean" => TypeId::BOOLEAN,
        "Integer" => TypeId::INTEGER,
        "Decimal" => TypeId::DECIMAL,
        "String" => TypeId::STRING,
        "Date" => TypeId::DATE,
        "DateTime" => TypeId::DATE_TIME,
        "Time" => TypeId::TIME,
        "Quantity" => TypeId::QUANTITY,
        _ => return None,
    })
}
