//! Two servers on one data folder would swap each other's plugins: the second says so and does not start.

use crate::support::Site;

#[test]
fn a_second_server_on_a_data_folder_does_not_start() {
    let site = Site::empty();
    let data = site.data();
    let second = || site.run(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    let server = site.serve();
    let told = ["another hookbox works on the data folder", data.to_str().unwrap(), "stop it", "--data"];
    second().exits(1).explains(&told);
    assert_eq!(server.get("/healthz").status, 200, "the first goes on");

    // However the first ends, the folder is free at once.
    server.kill();
    let server = site.serve();
    second().exits(1).explains(&told);
    server.stop();
    site.serve().stop();
}
