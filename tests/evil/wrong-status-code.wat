;; Prevents an enrollment with HTTP status code 42.
;; outcome: fails answer
;; export openedx:filters/learning-course-enrollment-started-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (data (i32.const 256) "no")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-enrollment-started-v1@1.0.0#run-filter")
    (param $has-id i32) (param $id i64) (param $name i32) (param $name-len i32) (param $email i32) (param $email-len i32)
    (param $active i32) (param $staff i32) (param $superuser i32)
    (param $course i32) (param $course-len i32) (param $mode i32) (param $mode-len i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 1)) ;; err
    (i32.store8 (i32.const 8) (i32.const 0)) ;; prevent-enrollment
    (i32.store (i32.const 12) (i32.const 256)) ;; message
    (i32.store (i32.const 16) (i32.const 2))
    (i32.store8 (i32.const 32) (i32.const 1)) ;; some status code
    (i32.store16 (i32.const 34) (i32.const 42))
    (i32.const 0)))
