//! The cache of users.

use std::sync::Arc;

use hookbox_store::{StoreError, User};

use crate::support::{Place, new_user};

#[tokio::test]
async fn a_user_is_read_once_and_again_after_a_change() {
    let place = Place::new();
    assert_eq!(place.store.user("ada").await, Ok(None));
    let ada = place.user("ada").await;
    let read = place.store.user("ada").await.unwrap().unwrap();
    assert_eq!(*read, ada);
    assert!(Arc::ptr_eq(&read, &place.store.user("ada").await.unwrap().unwrap()));

    let staff = User { is_staff: true, ..ada.clone() };
    let update = staff.clone();
    assert!(place.write(move |writes| writes.update_user(&update)).await);
    assert_eq!(*place.store.user("ada").await.unwrap().unwrap(), staff);

    let renamed = User { username: "lovelace".to_owned(), ..staff };
    let update = renamed.clone();
    assert!(place.write(move |writes| writes.update_user(&update)).await);
    assert_eq!(place.store.user("ada").await, Ok(None));
    assert_eq!(*place.store.user("lovelace").await.unwrap().unwrap(), renamed);

    assert!(place.write(move |writes| writes.delete_user(renamed.id)).await);
    assert_eq!(place.store.user("lovelace").await, Ok(None));
}

#[tokio::test]
async fn a_change_that_is_undone_is_not_remembered() {
    let place = Place::new();
    let ada = place.user("ada").await;
    let staff = User { is_staff: true, ..ada.clone() };
    let undone = place.store.write(move |writes| {
        writes.update_user(&staff)?;
        writes.insert_user(&new_user("ada"))
    });
    assert_eq!(undone.await, Err(StoreError::Duplicate));
    assert_eq!(*place.store.user("ada").await.unwrap().unwrap(), ada);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_change_is_answered_nobody_is_given_the_old_user() {
    let place = Place::new();
    let ada = place.user("ada").await;
    let store = place.store.clone();
    let asking = tokio::spawn(async move {
        loop {
            // Fills the cache as often as it can.
            let user = store.user("ada").await.unwrap().unwrap();
            if user.email == "last" {
                break;
            }
        }
    });
    for number in 0..200 {
        let email = if number == 199 { "last".to_owned() } else { number.to_string() };
        let changed = User { email: email.clone(), ..ada.clone() };
        assert!(place.write(move |writes| writes.update_user(&changed)).await);
        assert_eq!(place.store.user("ada").await.unwrap().unwrap().email, email);
    }
    asking.await.unwrap();
}
