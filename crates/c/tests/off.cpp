#define SONDAGE_OFF
#include "sondage.h"

/* Links without the library: nothing is left of the macros. */
int main() {
  SONDAGE_ZONE(zone, "nothing");
  SONDAGE_SCOPE("nothing");
  SONDAGE_END(zone);
  return 0;
}
