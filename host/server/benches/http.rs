//! `POST /hooks/filters/…` beside a handler that only parses and echoes the same JSON: requests a second and
//! percentiles, taken in turns in one run. `cargo bench -p hookbox-server --bench http`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may stop at once")]

mod load;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use hookbox_plugins::{
    Configured, IsolationKind, PluginTable, PluginsTable, Registry, RegistryOptions, Sample,
};
use hookbox_sandbox::{Sandbox, SandboxOptions};
use hookbox_server::{App, Authenticator, Config, HOOKS_RUN, TokenRequest, router};
use hookbox_store::Store;
use serde_json::Value;

use load::{CONNECTIONS, Case, ROUND, ROUNDS, listen, measure};

const FILTER: &str = "/hooks/filters/org.openedx.learning.course_about.page.url.requested.v1";
const BODY: &str =
    r#"{"url": "https://lms.example.com/courses/course-v1:edX+DemoX+Demo_Course/about", "org": "edX"}"#;

#[tokio::main]
async fn main() {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data = data.path().to_owned();
    let headers = format!("content-type: application/json\r\nauthorization: JWT {}\r\n", token(&config));
    let fresh = listen(hooks(&config, IsolationKind::Call).await).await;
    let reused = listen(hooks(&config, IsolationKind::Reuse).await).await;
    let echo = listen(Router::new().route("/echo", post(echo))).await;
    let case = |name: &str, address, path: &'static str| {
        Case::new(name, address, &headers, 200, move |_| (format!("POST {path}"), BODY.to_owned()))
    };
    let mut cases =
        [case("fresh", fresh, FILTER), case("reused", reused, FILTER), case("echo", echo, "/echo")];
    measure(&mut cases).await;
    println!(
        "{CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?} each, in turns, client and server in one process"
    );
    let floor = cases[2].figures().per_second;
    for case in &cases {
        let figures = case.figures();
        println!("{:7} {figures}   {:.2} of echo", case.name, figures.per_second / floor);
    }
}

async fn echo(Json(body): Json<Value>) -> Json<Value> {
    Json(body)
}

fn token(config: &Config) -> String {
    let authenticator = Authenticator::new(&config.auth, Path::new(""), &config.server.data).unwrap();
    let request = TokenRequest {
        username: "lms".to_owned(),
        user_id: None,
        email: None,
        staff: false,
        superuser: false,
        scopes: vec![HOOKS_RUN.to_owned()],
        ttl: Duration::from_secs(3_600),
    };
    authenticator.sign(&request).unwrap()
}

async fn hooks(config: &Config, isolation: IsolationKind) -> Router {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-plugins/prebuilt");
    let component = std::fs::read(folder.join("course-about-url.wasm")).unwrap();
    let samples =
        vec![Sample { name: "course-about-url", component: component.leak(), default: true }].leak();
    let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
    println!("instances: {:?}", sandbox.allocation());
    let store = Store::open(&config.database_options()).unwrap();
    let options = RegistryOptions {
        sandbox: sandbox.clone(),
        store: store.clone(),
        data: config.server.data.clone(),
        samples,
    };
    let registry = Registry::open(options).await.unwrap();
    let app = App::new(sandbox, store, registry.clone(), config, Arc::new(|| Ok(Config::default()))).unwrap();
    let table = PluginTable { isolation, ..PluginTable::default() };
    let plugins =
        PluginsTable { plugins: [("course-about-url".to_owned(), table)].into(), ..PluginsTable::default() };
    registry.start(Configured { plugins, ..Configured::default() }).await.unwrap();
    router(app)
}
