;; Reads a setting 10,000 times.
;; outcome: fails host-calls
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:config/store@0.2.0-rc.1" "get" (func $get (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "path")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $read-settings
    (local $left i32)
    (local.set $left (i32.const 10000))
    (loop $again
      (call $get (i32.const 256) (i32.const 4) (i32.const 512))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $read-settings)
    (i32.const 0)))
