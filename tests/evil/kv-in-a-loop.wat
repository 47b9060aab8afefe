;; Counts in the key-value store for ever.
;; outcome: fails host-calls
;; grants: keyvalue
;; import wasi:keyvalue/store@0.2.0-draft;
;; import wasi:keyvalue/atomics@0.2.0-draft;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (import "wasi:keyvalue/atomics@0.2.0-draft" "increment" (func $increment (param i32 i32 i32 i64 i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "count")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $count-on (param $bucket i32)
    (loop $again
      (call $increment (local.get $bucket) (i32.const 256) (i32.const 5) (i64.const 1) (i32.const 128))
      (br $again)))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $open (i32.const 0) (i32.const 0) (i32.const 128))
    (call $count-on (i32.load (i32.const 132)))
    (i32.const 0)))
