#include "sondage.h"

static int parse(int n) {
  SONDAGE_SCOPE("parse");
  if (n == 0) return 1;
  {
    SONDAGE_SCOPE("inner");
    return parse(n - 1) + 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  sondage_thread_name("main of C++");
  if (parse(1) != 2) return 3;
  return sondage_save(argv[1]) ? 0 : 1;
}
