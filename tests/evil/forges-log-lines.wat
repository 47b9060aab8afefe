;; Logs a line of its own making below a line of the host's, by the context as well as the message.
;; outcome: answers
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "a\1b[1A\0d\0ahookbox: the operator has approved\0a")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $log (i32.const 2) (i32.const 256) (i32.const 41) (i32.const 256) (i32.const 41))
    (i32.const 0)))
