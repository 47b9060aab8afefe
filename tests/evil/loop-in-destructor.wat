;; Makes a resource of its own and loops for ever when it is dropped.
;; outcome: fails time
;; export test:things/things@1.0.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "[export]test:things/things@1.0.0" "[resource-new]thing" (func $new (param i32) (result i32)))
  (import "[export]test:things/things@1.0.0" "[resource-drop]thing" (func $drop (param i32)))
  (memory (export "memory") 1)
  (func (export "test:things/things@1.0.0#[constructor]thing") (result i32) (call $new (i32.const 7)))
  (func $clean-up (export "test:things/things@1.0.0#[dtor]thing") (param i32) (loop $again (br $again)))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $drop (call $new (i32.const 7)))
    (i32.const 0)))
