// Text with marks of fixed width (<event>, <customer>, <stamp>, <signature>), which are filled in place, so that
// preparing a request costs the load generator next to nothing.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mark { EVENT, CUSTOMER, STAMP, SIGNATURE, MARKS };
enum { PLACES = 8, CUSTOMER_WIDTH = 7, STAMP_WIDTH = 10, FIRST_CUSTOMER = 1000000 };

static const char *const mark_names[MARKS] = {"<event>", "<customer>", "<stamp>", "<signature>"};

struct sample {
  char *text;
  size_t length;
  size_t width[MARKS], places[MARKS], at[MARKS][PLACES];
};

static struct sample sample_of(const char *form, size_t event_width, size_t signature_width) {
  struct sample sample = {.width = {event_width, CUSTOMER_WIDTH, STAMP_WIDTH, signature_width}};
  sample.text = malloc(strlen(form) + MARKS * PLACES * 64 + 1);
  while (*form) {
    int mark = 0;
    while (mark < MARKS && strncmp(form, mark_names[mark], strlen(mark_names[mark]))) mark++;
    if (mark == MARKS) {
      sample.text[sample.length++] = *form++;
    } else {
      if (sample.places[mark] == PLACES) {
        fprintf(stderr, "error: %s stands more than %d times\n", mark_names[mark], PLACES);
        exit(1);
      }
      sample.at[mark][sample.places[mark]++] = sample.length;
      memset(sample.text + sample.length, '0', sample.width[mark]);
      sample.length += sample.width[mark];
      form += strlen(mark_names[mark]);
    }
  }
  sample.text[sample.length] = 0;
  return sample;
}

// `text` is a copy of the sample's.
static void sample_fill(const struct sample *sample, char *text, enum mark mark, const char *value) {
  for (size_t i = 0; i < sample->places[mark]; i++) memcpy(text + sample->at[mark][i], value, sample->width[mark]);
}

static void sample_number(const struct sample *sample, char *text, enum mark mark, uint64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%0*llu", (int)sample->width[mark], (unsigned long long)value);
  sample_fill(sample, text, mark, digits);
}

static char *read_file(const char *path) {
  FILE *file = fopen(path, "r");
  static char text[1 << 16];
  size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (!length) {
    fprintf(stderr, "error: can't read %s\n", path);
    exit(1);
  }
  fclose(file);
  while (length && text[length - 1] == '\n') length--;
  text[length] = 0;
  return strdup(text);
}
