//! What OPTIONS says of a resource.

use serde_json::{Map, Value, json};

use super::route::Resource;

/// The answer to OPTIONS; `writable` when the caller may create here, or replace this row.
pub(crate) fn of(resource: &Resource, writable: bool) -> Value {
    let (name, description, action) = match resource {
        Resource::Root => ("Api Root", "The resources of this API.", None),
        Resource::List => (
            "Course Archive Status List",
            "Which courses their learners have archived. Everybody sees their own; staff see all.",
            Some("POST"),
        ),
        Resource::Detail(_) => (
            "Course Archive Status Instance",
            "Whether one learner has archived one course. A PUT by staff that leaves `user` out takes the row over.",
            Some("PUT"),
        ),
    };
    let mut answer = json!({
        "name": name,
        "description": description,
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    });
    if let (Some(action), true, Value::Object(members)) = (action, writable, &mut answer) {
        members.insert("actions".into(), json!({action: fields()}));
    }
    answer
}

fn fields() -> Value {
    let field = |kind: &str, required: bool, read_only: bool, label: &str, more: Value| {
        let mut field = json!({"type": kind, "required": required, "read_only": read_only, "label": label});
        if let (Value::Object(field), Value::Object(more)) = (&mut field, more) {
            field.extend(more);
        }
        field
    };
    let fields: [(&str, Value); 7] = [
        ("id", field("integer", false, true, "ID", json!({}))),
        (
            "course_id",
            field(
                "string",
                true,
                false,
                "Course id",
                json!({"help_text": "The unique identifier for the course.", "max_length": 255}),
            ),
        ),
        ("user", field("field", false, false, "User", json!({}))),
        (
            "is_archived",
            field(
                "boolean",
                false,
                false,
                "Is archived",
                json!({"help_text": "Whether the course is archived."}),
            ),
        ),
        (
            "archive_date",
            field(
                "datetime",
                false,
                true,
                "Archive date",
                json!({"help_text": "The date and time when the course was archived."}),
            ),
        ),
        ("created_at", field("datetime", false, true, "Created at", json!({}))),
        ("updated_at", field("datetime", false, true, "Updated at", json!({}))),
    ];
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    Value::Object(fields)
}
