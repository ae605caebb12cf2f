/* Lets everything through that a permission group holds (descriptor 3), and says what it was asked: the mask
 * and the path, a line each. Ends with its stdin, so that nobody is held for a test that is gone. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static char events[64 * 1024];

static void answer(const struct fanotify_event_metadata *event) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", event->fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  struct fanotify_response response = {.fd = event->fd, .response = FAN_ALLOW};
  printf("%llx %.*s\n", (unsigned long long)event->mask, (int)(length < 0 ? 0 : length), path);
  if (write(3, &response, sizeof response) < 0) perror("answer");
  close(event->fd);
}

int main(void) {
  struct pollfd polls[] = {{.fd = 3, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  setvbuf(stdout, NULL, _IOLBF, 64 * 1024);
  for (;;) {
    if (poll(polls, 2, -1) < 0 || polls[1].revents != 0) return 0;
    ssize_t length = read(3, events, sizeof events);
    if (length <= 0) continue;
    const struct fanotify_event_metadata *event = (void *)events;
    for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) answer(event);
  }
}
