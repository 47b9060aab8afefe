//! The rules that the schema keeps, whoever comes first.

use hookbox_store::{Filter, StoreError, Synced, Timestamp};

use crate::support::{Place, anyone, assert_sound, new_status, new_user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_create_the_same_at_once_exactly_one_is_told_so() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    for round in 0..50 {
        let create = |course: String| {
            let store = place.store.clone();
            tokio::spawn(async move {
                store.write(move |writes| writes.insert_status(&new_status(&course, ada, round))).await
            })
        };
        let (one, other) = (create(format!("Course_{round}")), create(format!("cOURSE_{round}")));
        let answers = [one.await.unwrap(), other.await.unwrap()];
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(answers.contains(&Err(StoreError::Duplicate)), "{answers:?}");
    }
    assert_eq!(place.read(|reads| reads.count_statuses(&anyone())).await, 50);
}

#[tokio::test]
async fn case_is_ignored_in_ascii_only() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    let status = place.write(move |writes| writes.insert_status(&new_status("Kurs-é", ada, 1))).await;
    let (same, other, listed) = place
        .read(move |reads| {
            let filter = Filter { course_id: Some("KURS-é".to_owned()), ..anyone() };
            Ok((
                reads.status_of("kurs-é", ada)?,
                reads.status_of("kurs-É", ada)?,
                reads.statuses(&filter, &[], 0, 5)?,
            ))
        })
        .await;
    assert_eq!((same, other), (Some(status.clone()), None));
    assert_eq!(listed, [status]);
}

#[tokio::test]
async fn a_row_of_a_user_who_is_not_there_is_refused() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    let new = new_status("c_1", ada + 1, 1);
    let refused = place.store.write(move |writes| writes.insert_status(&new)).await;
    assert_eq!(refused, Err(StoreError::NoSuchUser));
    let status = place.write(move |writes| writes.insert_status(&new_status("c_1", ada, 1))).await;
    let moved = hookbox_store::Status { user: ada + 1, ..status };
    let refused = place.store.write(move |writes| writes.update_status(&moved)).await;
    assert_eq!(refused, Err(StoreError::NoSuchUser));
    assert_sound(place.path());
}

#[tokio::test]
async fn a_deleted_user_leaves_no_row_and_no_count() {
    let place = Place::new();
    let (ada, bob) = (place.user("ada").await.id, place.user("bob").await.id);
    place
        .write(move |writes| {
            for number in 0..1_500 {
                let user = if number % 3 == 0 { bob } else { ada };
                writes.insert_status(&new_status(&format!("c_{number}"), user, number))?;
            }
            Ok(())
        })
        .await;
    assert!(place.write(move |writes| writes.delete_user(ada)).await);
    assert!(!place.write(move |writes| writes.delete_user(ada)).await);
    let of = |user| Filter { user: Some(user), ..anyone() };
    let counts = place
        .read(move |reads| {
            Ok([
                reads.count_statuses(&of(ada))?,
                reads.count_statuses(&of(bob))?,
                reads.count_statuses(&anyone())?,
            ])
        })
        .await;
    assert_eq!(counts, [0, 500, 500]);
    assert_sound(place.path());
    let report = hookbox_store::check(place.path()).unwrap();
    assert_eq!((report.tables["users"], report.tables["archive_count"]), (1, 1));
}

#[tokio::test]
async fn an_id_is_never_given_again() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    let mut last = 0;
    for course in ["c_1", "c_2", "c_3"] {
        let status = place.write(move |writes| writes.insert_status(&new_status(course, ada, 1))).await;
        assert!(status.id > last);
        last = status.id;
        assert!(place.write(move |writes| writes.delete_status(status.id)).await);
    }
    assert!(place.write(move |writes| writes.delete_user(ada)).await);
    assert!(place.user("eve").await.id > ada);
}

#[tokio::test]
async fn a_wanted_id_that_is_taken_or_absurd_becomes_the_next_one() {
    let place = Place::new();
    let insert = async |id, name: &str| {
        let new = hookbox_store::NewUser { id, ..new_user(name) };
        place.write(move |writes| writes.insert_user(&new)).await.id
    };
    assert_eq!(insert(Some(40), "wanted").await, 40);
    assert_eq!(insert(Some(40), "taken").await, 41);
    assert_eq!(insert(Some(7), "lower").await, 7);
    assert_eq!(insert(None, "none").await, 42);
    assert_eq!(insert(Some(0), "zero").await, 43);
    assert_eq!(insert(Some(-5), "negative").await, 44);
    assert_eq!(insert(Some(i64::MAX), "greatest").await, 45);
    let taken = place.store.write(|writes| writes.insert_user(&new_user("none"))).await;
    assert_eq!(taken, Err(StoreError::Duplicate));
}

#[tokio::test]
async fn a_sync_moves_nothing_but_its_own_time() {
    let place = Place::new();
    let (ada, bob) = (place.user("ada").await.id, place.user("bob").await.id);
    let before = place
        .write(move |writes| {
            writes.insert_status(&new_status("c_2", ada, 5))?;
            writes.insert_status(&new_status("C_1", ada, 6))?;
            writes.insert_status(&new_status("c_1", bob, 7))
        })
        .await;
    let time = Timestamp::now();
    let sync =
        async |after, most| place.write(move |writes| writes.set_last_synced("c_1", time, after, most)).await;
    assert_eq!(sync(None, 10).await, Synced { rows: 2, next: None });
    let after = place.read(move |reads| reads.status(before.id, &anyone())).await;
    assert_eq!(after, Some(hookbox_store::Status { last_synced: Some(time), ..before }));
    // In parts: each user once, and a last part that may be empty.
    assert_eq!(sync(None, 1).await, Synced { rows: 1, next: Some(ada) });
    assert_eq!(sync(Some(ada), 1).await, Synced { rows: 1, next: Some(bob) });
    assert_eq!(sync(Some(bob), 1).await, Synced { rows: 0, next: None });
    assert_eq!(sync(None, 0).await, Synced { rows: 0, next: None });
}
