;; Calls the host while the host writes the arguments.
;; outcome: fails trap
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "hookbox:plugin/context@1.0.0" "plugin-name" (func $plugin-name (param i32)))
  (memory (export "memory") 1)
  (func $allocate (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $plugin-name (i32.const 512))
    (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)

    (i32.const 0)))
