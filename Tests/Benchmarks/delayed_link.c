// A link that delays what travels, for kernels without netem:
//
//   delayed_link MICROSECONDS NAME NAME
//
// Makes two network devices (TAP) of these names. What one sends the other gets that much later, in order. Prints "ready" when
// both are there; they may be moved to other namespaces then. Ends at a signal, and the devices with it. Rates are left to tc:
// a sender that is shaped on its device hands on no more than that.
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

// A frame may be 64 KiB of one connection, which the kernel cuts no further (segmentation offload), behind a header that says
// so.
enum { FRAME_BYTES = 10 + 14 + 65536, FRAMES = 512 };

struct frame {
  int64_t due;
  ssize_t bytes;
  unsigned char data[FRAME_BYTES];
};

// What goes to one device and is not due yet.
struct way {
  struct frame *frames;
  uint64_t first, end;
};

static void fail(const char *what) {
  fprintf(stderr, "delayed_link: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

static int device(const char *name) {
  const int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (file < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(file, TUNSETIFF, &request) < 0) fail(name);
  if (ioctl(file, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) fail("TUNSETOFFLOAD");
  return file;
}

// Takes in what a device sends while there is room; a full way loses nothing, as the device waits.
static void take(int from, struct way *way, int64_t delay) {
  while (way->end - way->first < FRAMES) {
    struct frame *frame = &way->frames[way->end % FRAMES];
    frame->bytes = read(from, frame->data, FRAME_BYTES);
    if (frame->bytes < 0 && (errno == EAGAIN || errno == EIO)) return;  // EIO: not up yet
    if (frame->bytes < 0) fail("read");
    frame->due = now() + delay;
    ++way->end;
  }
}

// Hands on what is due; a device that is not up yet loses it, as a cable that nobody plugged in.
static void hand_on(int to, struct way *way) {
  for (; way->first < way->end && way->frames[way->first % FRAMES].due <= now(); ++way->first) {
    const struct frame *frame = &way->frames[way->first % FRAMES];
    if (write(to, frame->data, (size_t)frame->bytes) < 0 && errno != EIO) fail("write");
  }
}

int main(int count, char **words) {
  if (count != 4) {
    fprintf(stderr, "usage: delayed_link MICROSECONDS NAME NAME\n");
    return 64;
  }
  const int64_t delay = atoll(words[1]) * 1000;
  const int devices[2] = {device(words[2]), device(words[3])};
  struct way ways[2] = {{0}, {0}};
  for (int i = 0; i < 2; ++i) {
    ways[i].frames = malloc(FRAMES * sizeof(struct frame));
    if (!ways[i].frames) fail("memory");
  }
  // Before the programs that compute: a wait for a core would be a delay of this link.
  prctl(PR_SET_TIMERSLACK, 1);
  const struct sched_param first = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &first) < 0) fail("SCHED_FIFO");
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd waits[2];
    int64_t due = INT64_MAX;
    for (int i = 0; i < 2; ++i) {
      const struct way *way = &ways[i];  // what device i sends
      waits[i] = (struct pollfd){.fd = devices[i], .events = way->end - way->first < FRAMES ? POLLIN : 0};
      if (way->first < way->end && way->frames[way->first % FRAMES].due < due) due = way->frames[way->first % FRAMES].due;
    }
    int64_t left = due == INT64_MAX ? 1000000000 : due - now();
    if (left < 0) left = 0;
    const struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    if (ppoll(waits, 2, &wait, NULL) < 0 && errno != EINTR) fail("poll");
    for (int i = 0; i < 2; ++i) {
      take(devices[i], &ways[i], delay);
      hand_on(devices[1 - i], &ways[i]);
    }
  }
}
