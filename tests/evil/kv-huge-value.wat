;; Keeps one value of 32 MiB.
;; outcome: fails answer-bytes
;; grants: keyvalue
;; import wasi:keyvalue/store@0.2.0-draft;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft" "[method]bucket.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 640)
  (data (i32.const 256) "huge")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $open (i32.const 0) (i32.const 0) (i32.const 128))
    (call $set (i32.load (i32.const 132)) (i32.const 256) (i32.const 4) (i32.const 65536) (i32.const 0x2000000) (i32.const 128))
    (i32.const 0)))
