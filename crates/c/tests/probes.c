#include "sondage.h"

static void load(int depth) {
  SONDAGE_ZONE(zone, "load");
  sondage_value_int(0, sondage_text("depth"), depth);
  if (depth > 0) load(depth - 1);
  SONDAGE_END(zone);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  sondage_thread_name("main of C");
  load(1);
  uint64_t span = sondage_span_begin(sondage_site("request", "main", "probes.c", 1, 0xff0000), 0);
  sondage_value_text(span, sondage_text("path"), "/\xc3\xa4");
  sondage_span_exit(span);
  sondage_span_enter(span);
  sondage_span_end(span, true);
  sondage_frame_mark(0);
  sondage_plot_float(sondage_text("load"), 0.5);
  sondage_message(SONDAGE_WARNING, 0, "bad \xff byte");
  uint32_t lock = sondage_lock("queue", "probes.c:20");
  sondage_lock_event(lock, SONDAGE_LOCK_OBTAINED);
  sondage_lock_event(lock, SONDAGE_LOCK_RELEASED);
  sondage_lock_event(lock, 99);
  sondage_set_enabled(false);
  load(1);
  sondage_set_enabled(true);
  sondage_message(SONDAGE_INFO, 0, 0);
  if (sondage_lost() != 0) return 3;
  if (sondage_connect("@sondage-c-nobody")) return 4;
  return sondage_save(argv[1]) ? 0 : 1;
}
