/* What a program in C or C++ says of itself: zones, spans, frames, plots, messages, locks, memory.
 *
 *   void load(const char *path) {
 *     SONDAGE_ZONE(zone, "load");
 *     ...
 *     SONDAGE_END(zone);
 *   }
 *
 * In C++ a zone ends by itself:
 *
 *   void load(const std::string &path) {
 *     SONDAGE_SCOPE("load");
 *     ...
 *   }
 *
 * Build with `cargo build --release -p sondage-c` and link with -lsondage_c (or libsondage_c.a and
 * -lpthread -ldl -lm). Define SONDAGE_OFF before this header, and every macro is nothing.
 *
 * All functions may be called from every thread, at any time, but not from signal handlers. Strings
 * are UTF-8 with a zero at their end, and are copied. Numbers of places, texts and locks stay valid
 * as long as the process lives; 0 is none, and what came after 65,536 of its kind. Events go to a
 * collector (`sondage run`, or sondage_connect), and without one the last 4 MB of each thread are
 * kept for sondage_save.
 */
#ifndef SONDAGE_H
#define SONDAGE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether probes record: yes, from the start, until they are turned off. */
bool sondage_is_enabled(void);
void sondage_set_enabled(bool enabled);

/* The number of a place, with its zone's name and its colour (0xRRGGBB, 0 for none). The macros below
 * ask once for each place. */
uint32_t sondage_site(const char *name, const char *function, const char *file, uint32_t line,
                      uint32_t colour);
/* The number of a text: the name of a frame, a plot, an argument. */
uint32_t sondage_text(const char *text);
/* The number of a new lock; `place` is "file:line". */
uint32_t sondage_lock(const char *name, const char *place);

/* Begins a zone. When it says true, sondage_zone_end must follow in the same thread, after those of
 * all zones begun since. */
bool sondage_zone_begin(uint32_t site);
void sondage_zone_end(void);

/* Begins a span inside another (0 for none) and enters it. A span may change threads: exit it in one,
 * enter it in another. Its number is 0 when it is not recorded, and then the others do nothing. */
uint64_t sondage_span_begin(uint32_t site, uint64_t parent);
void sondage_span_enter(uint64_t span);
void sondage_span_exit(uint64_t span);
void sondage_span_end(uint64_t span, bool failed);

/* An argument of a span, or of the thread's innermost zone where `span` is 0. */
void sondage_value_int(uint64_t span, uint32_t key, int64_t value);
void sondage_value_float(uint64_t span, uint32_t key, double value);
void sondage_value_text(uint64_t span, uint32_t key, const char *value);

/* Frames: `name` is a text's number, 0 for the program's main frame. */
void sondage_frame_mark(uint32_t name);
void sondage_frame_begin(uint32_t name);
void sondage_frame_end(uint32_t name);

/* A point of the plot that the text `name` names. */
void sondage_plot_int(uint32_t name, int64_t value);
void sondage_plot_float(uint32_t name, double value);

/* A line of text. */
enum {
  SONDAGE_DEBUG = 1,
  SONDAGE_INFO = 2,
  SONDAGE_WARNING = 3,
  SONDAGE_ERROR = 4,
  SONDAGE_CRITICAL = 5
};
void sondage_message(uint8_t level, uint32_t colour, const char *text);

/* What happened to a lock. */
enum {
  SONDAGE_LOCK_WAIT = 0,
  SONDAGE_LOCK_OBTAINED = 1,
  SONDAGE_LOCK_RELEASED = 2,
  SONDAGE_LOCK_GIVEN_UP = 3,
  SONDAGE_LOCK_SHARED = 4
};
void sondage_lock_event(uint32_t lock, uint8_t op);

/* Memory was set aside, or given back where `bytes` is 0. */
void sondage_memory(const void *address, uint64_t bytes);

/* Names this thread, this process. */
void sondage_thread_name(const char *name);
void sondage_process_name(const char *name);

/* Finds a collector: at the address, or where SONDAGE_COLLECTOR says, or this user's (NULL). Waits a
 * second at most. Programs that SONDAGE_COLLECTOR is set for need not call it. */
bool sondage_connect(const char *address);

/* Saves what is kept: now, at the end of the process, when a signal kills it. `{pid}` in the path is
 * the process's number. */
bool sondage_save(const char *path);
bool sondage_save_at_exit(const char *path);
bool sondage_save_on_crash(const char *path);

/* Lets the Tracy profiler see all of it live, at this port of 127.0.0.1 (0 for the usual, 8086); whether
 * it listens. False in a library that was built without Tracy: `cargo build --release -p sondage-c
 * --features tracy`, and -lstdc++ where libsondage_c.a is linked. */
bool sondage_tracy_start(uint16_t port);

/* Events for which there was no room. */
uint64_t sondage_lost(void);

#ifdef __cplusplus
}
#endif

/* The number of this place, asked for once. */
#define SONDAGE_SITE(variable, name, colour)                                                       \
  static uint32_t variable;                                                                        \
  if (__atomic_load_n(&variable, __ATOMIC_RELAXED) == 0)                                           \
  __atomic_store_n(&variable, sondage_site((name), __func__, __FILE__, __LINE__, (colour)),        \
                   __ATOMIC_RELAXED)

#ifndef SONDAGE_OFF

/* Begins a zone that SONDAGE_END(zone) ends. */
#define SONDAGE_ZONE(zone, name)                                                                   \
  SONDAGE_SITE(zone##_site, name, 0);                                                              \
  const bool zone = sondage_zone_begin(__atomic_load_n(&zone##_site, __ATOMIC_RELAXED))
#define SONDAGE_END(zone)                                                                          \
  do {                                                                                             \
    if (zone) sondage_zone_end();                                                                  \
  } while (0)

#else

#define SONDAGE_ZONE(zone, name) enum { zone }
#define SONDAGE_END(zone) ((void)0)

#endif

#ifdef __cplusplus

namespace sondage {

/* A zone that ends where its scope does. */
class Zone {
 public:
  explicit Zone(uint32_t site) : open_(sondage_zone_begin(site)) {}
  ~Zone() {
    if (open_) sondage_zone_end();
  }
  Zone(const Zone &) = delete;
  Zone &operator=(const Zone &) = delete;

 private:
  const bool open_;
};

}  // namespace sondage

#ifndef SONDAGE_OFF

#define SONDAGE_JOIN_(a, b) a##b
#define SONDAGE_JOIN(a, b) SONDAGE_JOIN_(a, b)
/* The rest of the block is a zone. */
#define SONDAGE_SCOPE(name)                                                                        \
  static const uint32_t SONDAGE_JOIN(sondage_site_, __LINE__) =                                    \
      sondage_site((name), __func__, __FILE__, __LINE__, 0);                                       \
  const ::sondage::Zone SONDAGE_JOIN(sondage_zone_, __LINE__)(                                     \
      SONDAGE_JOIN(sondage_site_, __LINE__))

#else

#define SONDAGE_SCOPE(name) static_assert(true, name)

#endif
#endif /* __cplusplus */

#endif /* SONDAGE_H */
