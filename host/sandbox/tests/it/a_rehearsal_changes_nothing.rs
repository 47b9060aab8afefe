//! A rehearsed plugin answers as the real one would, and nothing of it is there afterwards: no row, no request, no line
//! of the log that anybody has to read.

use std::sync::Arc;

use hookbox_sandbox::{Granting, Isolation, PluginOptions};

use crate::plugins_keep_rows_of_their_own::{Rows, granted, sandbox as sandbox_with_rows, told};
use crate::servers::{Server, Told, sender};
use crate::support::{admit, admit_with, call, host_log, options, sandbox, written};

#[tokio::test]
async fn rows_are_read_and_what_is_written_is_forgotten() {
    let rows: Arc<Rows> = Arc::default();
    let sandbox = sandbox_with_rows(&rows);
    let admitted = admit_with(&sandbox, &written("key-value"), &Granting::These(&granted()));
    for isolation in [Isolation::Call, Isolation::Reuse { max_calls: 100 }] {
        let options = PluginOptions { isolation, ..options() };
        let plugin = sandbox.plugin(&admitted, options.clone());
        assert_eq!(told(&plugin, "set|b|k|real").await, "done");
        for rehearsal in [sandbox.rehearsal(&admitted, options), plugin.rehearsal()] {
            for (operation, came) in [
                ("get|b|k", "real"),
                ("set|b|k|rehearsed", "done"),
                ("get|b|k", "real"),
                ("increment|b|n|3", "3"),
                ("increment|b|n|3", "3"),
                ("delete|b|k", "done"),
                ("list|b|", "k,end"),
            ] {
                assert_eq!(told(&rehearsal, operation).await, came, "{operation}");
            }
        }
        assert_eq!(told(&plugin, "list|b|").await, "k,end");
        assert_eq!(told(&plugin, "get|b|k").await, "real");
    }
}

#[tokio::test]
async fn a_granted_request_does_not_leave() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let plugin = sender(&sandbox(), &[server.grant()]);
    let told = Told::get(&server.address());
    assert_eq!(told.by(&plugin.rehearsal()).await, "connection-refused");
    assert!(server.requests().is_empty());
    assert!(told.by(&plugin).await.ends_with("hello"));
}

#[tokio::test]
async fn its_lines_are_below_what_the_log_keeps() {
    let sandbox = sandbox();
    let plugin = sandbox.plugin(&admit(&sandbox, &written("forges-log-lines")), options());
    let _ = call(&plugin.rehearsal(), "any").await;
    assert!(!host_log().contains("hookbox::plugin"), "{}", host_log());
    let _ = call(&plugin, "any").await;
    assert!(host_log().contains("hookbox::plugin"), "{}", host_log());
}
