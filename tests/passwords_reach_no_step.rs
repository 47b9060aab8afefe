//! The passwords of a registration are kept from every step, and are in the answer again.

use serde_json::{Value, json};

use crate::support::guest::{answering_filter, echo_filter};
use crate::support::{REGISTRATION, Site, steps};

fn registration() -> Value {
    json!({"form_data": {"username": "ada", "password": "s3cret", "new_password1": "s3cret too", "email": "ada@example.com"}})
}

fn site(component: Vec<u8>) -> Site {
    let configuration =
        format!("[plugins.curious]\ncomponent = \"curious.wasm\"\nhooks = [\"{REGISTRATION}\"]");
    Site::new(&configuration).with("curious.wasm", component)
}

#[test]
fn no_step_sees_them_and_the_caller_gets_them_back() {
    let server = site(echo_filter()).serve();
    let answer = server.filter(REGISTRATION, &registration()).json(200);
    assert_eq!(steps(&answer), [("curious", "proceeded")]);
    let seen = json!({"form_data": {"username": "ada", "email": "ada@example.com"}});
    assert_eq!(answer["kwargs"]["seen"]["arguments"], seen);
    assert_eq!(answer["kwargs"]["form_data"], registration()["form_data"]);
    assert!(!answer["steps"].to_string().contains("s3cret"), "{answer}");
    assert!(!server.log().contains("s3cret"), "{}", server.log());
}

#[test]
fn a_step_cannot_put_others_in_their_place() {
    let step = r#"{"form_data":{"username":"eve","password":"eves"}}"#;
    let server = site(answering_filter(step)).serve();
    let answer = server.filter(REGISTRATION, &registration()).json(200);
    let expected = json!({"username": "eve", "password": "s3cret", "new_password1": "s3cret too"});
    assert_eq!(answer["kwargs"]["form_data"], expected, "{answer}");
}
