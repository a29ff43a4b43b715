/* The caller of `python -m bench flood`: what a send costs it is a tenth of what Python takes.
 *
 * An open loop of uuids at an even rate; of each up to three copies, a second apart, over connections
 * of their own, until one is answered within its second. Also what was refused is sent again.
 *
 *   flood PORT RATE SECONDS IMAGES
 *
 * IMAGES has a JPEG in base64 in each line. Characters 8 to 23 are the text of a comment, which each
 * uuid gets another one of, so that no two send the same image. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COPIES = 3, MOST_FILES = 60000, MOST_IMAGES = 20000, COMMENT_AT = 8, COMMENT_ENDS = 24 };
enum { REQUEST_BYTES = 100000, REPLY_BYTES = 4096, EVENTS = 512, STARTS_IN_A_ROW = 64 };

typedef struct {
  int image, answered;
  unsigned long salt;
} Uuid;

typedef struct {
  int fd, uuid, copy, sent, got, generation;
  double due_s;
  char reply[REPLY_BYTES];
} Call;

/* The calls of the first, second and third copies, in the order in which they were due. */
typedef struct {
  int *calls, *generations, begin, end;
} Queue;

static char *images[MOST_IMAGES], run_id[17];
static int image_count, poll_fd, open_calls, free_count, free_calls[MOST_FILES], uuid_count;
static Call calls[MOST_FILES];
static Uuid *uuids;
static struct sockaddr_in address;
static unsigned long state;
static long sends, answered, refused, late, other, closed, no_reply;
static double *answer_ms, *refusal_ms, lag_s;
static long answer_count, refusal_count;

static double now_s(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static unsigned long draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static int compare(const void *one, const void *other_one) {
  double a = *(const double *)one, b = *(const double *)other_one;
  return (a > b) - (a < b);
}

static double quantile(double *values, long count, double share) {
  if (!count) return 0;
  qsort(values, count, sizeof *values, compare);
  return values[(long)((count - 1) * share)];
}

static void end_call(Call *call) {
  close(call->fd);
  call->fd = -1;
  free_calls[free_count++] = call - calls;
  open_calls--;
}

static int write_request(char *out, int number, int copy) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static char body[REQUEST_BYTES];
  const Uuid *uuid = &uuids[number];
  unsigned long salt = uuid->salt;
  int size = sprintf(body, "{\"esun_uuid\": \"%s-%d\", \"esun_timestamp\": 1590493849, \"image\": \"",
                     run_id, number);
  char *image = body + size;
  size += sprintf(image, "%s", images[uuid->image]);
  for (int place = COMMENT_AT; place < COMMENT_ENDS; place++) {
    image[place] = digits[salt & 63];
    salt = (salt ^ salt >> 29) * 6364136223846793005UL + 1442695040888963407UL;
  }
  size += sprintf(body + size, "\", \"retry\": %d}", COPIES - 1 - copy);
  return sprintf(out,
                 "POST /inference HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                 "Connection: close\r\nContent-Length: %d\r\n\r\n%s",
                 size, body);
}

/* Whatever came of it within its second: a reply, or a connection that ends without one. */
static void note(Call *call, double at_s) {
  double took_ms = (at_s - call->due_s) * 1000;
  int status = call->got > 12 ? atoi(call->reply + 9) : 0;
  if (took_ms > 1000) {
    no_reply++;
  } else if (status == 200) {
    answered++;
    if (!uuids[call->uuid].answered) answer_ms[answer_count++] = took_ms;
    uuids[call->uuid].answered = 1;
  } else if (status == 504) {
    late++;
  } else if (status == 503) {
    refused++;
    refusal_ms[refusal_count++] = took_ms;
  } else if (status) {
    other++;
  } else {
    closed++;
  }
}

static void send_request(Call *call) {
  static char request[2 * REQUEST_BYTES];
  int size = write_request(request, call->uuid, call->copy);
  call->sent = send(call->fd, request, size, MSG_NOSIGNAL) == size;
  if (!call->sent) {
    note(call, now_s());
    end_call(call);
  }
}

/* Returns the place of the call, or -1 where it has ended already. */
static int start(int number, int copy, double due_s) {
  if (!free_count) {
    no_reply++;
    return -1;
  }
  int place = free_calls[--free_count];
  Call *call = &calls[place];
  *call = (Call){.uuid = number, .copy = copy, .due_s = due_s, .generation = call->generation + 1};
  call->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  open_calls++;
  sends++;
  if (connect(call->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
    note(call, now_s());
    end_call(call);
    return -1;
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = place};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, call->fd, &event);
  return place;
}

static int is_whole(const Call *call) {
  const char *end = strstr(call->reply, "\r\n\r\n"), *length = strcasestr(call->reply, "content-length:");
  return end && length && call->got >= end + 4 - call->reply + atoi(length + strlen("content-length:"));
}

static void go_on(Call *call, double at_s) {
  if (!call->sent) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
      note(call, at_s);
      end_call(call);
      return;
    }
    send_request(call);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = call - calls};
    if (call->sent) epoll_ctl(poll_fd, EPOLL_CTL_MOD, call->fd, &event);
    return;
  }
  long size = recv(call->fd, call->reply + call->got, REPLY_BYTES - 1 - call->got, 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size > 0) call->got += size;
  if (size <= 0 || call->got == REPLY_BYTES - 1 || is_whole(call)) {
    note(call, at_s);
    end_call(call);
  }
}

static void read_images(const char *path) {
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t room = 0;
  while (file && image_count < MOST_IMAGES && getline(&line, &room, file) > COMMENT_ENDS) {
    line[strcspn(line, "\r\n")] = 0;
    if (strlen(line) < REQUEST_BYTES - 1000) images[image_count++] = strdup(line);
  }
  if (!image_count) {
    fprintf(stderr, "%s has no image\n", path);
    exit(1);
  }
}

int main(int count, char **words) {
  if (count != 5) return 2;
  double rate = atof(words[2]), seconds = atof(words[3]);
  read_images(words[4]);
  address.sin_family = AF_INET;
  address.sin_port = htons(atoi(words[1]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int most = files.rlim_cur - 50 < MOST_FILES ? (int)files.rlim_cur - 50 : MOST_FILES;
  while (most--) free_calls[free_count++] = most;
  for (int place = 0; place < MOST_FILES; place++) calls[place].fd = -1;

  struct timespec seed;
  clock_gettime(CLOCK_REALTIME, &seed);
  state = seed.tv_nsec * 2654435761UL ^ (unsigned long)seed.tv_sec << 20 ^ getpid();
  for (int turn = 0; turn < 20; turn++) draw();
  sprintf(run_id, "%016lx", draw());
  uuid_count = rate * seconds;
  uuids = calloc(uuid_count, sizeof *uuids);
  for (int number = 0; number < uuid_count; number++)
    uuids[number] = (Uuid){.image = draw() % image_count, .salt = draw()};
  answer_ms = malloc(sizeof *answer_ms * uuid_count);
  refusal_ms = malloc(sizeof *refusal_ms * uuid_count * COPIES);

  poll_fd = epoll_create1(0);
  Queue queues[COPIES];
  int next[COPIES] = {0};
  for (int copy = 0; copy < COPIES; copy++)
    queues[copy] = (Queue){malloc(sizeof(int) * uuid_count), malloc(sizeof(int) * uuid_count), 0, 0};
  double begin_s = now_s() + 0.1, end_s = begin_s + seconds + COPIES + 0.2;
  for (double at_s = now_s(); at_s < end_s; at_s = now_s()) {
    double wake_s = end_s;
    int starts = 0;
    for (int copy = COPIES - 1; copy >= 0; copy--) {
      Queue *queue = &queues[copy];
      /* The second of the first of them is over: nothing came. */
      for (; queue->begin < queue->end; queue->begin++) {
        Call *call = &calls[queue->calls[queue->begin]];
        if (call->fd < 0 || call->generation != queue->generations[queue->begin]) continue;
        if (call->due_s + 1 > at_s) {
          if (call->due_s + 1 < wake_s) wake_s = call->due_s + 1;
          break;
        }
        no_reply++;
        end_call(call);
      }
      for (; next[copy] < uuid_count; next[copy]++) {
        double due_s = begin_s + next[copy] / rate + copy;
        if (due_s > at_s || starts == STARTS_IN_A_ROW) {
          if (due_s < wake_s) wake_s = due_s;
          break;
        }
        if (uuids[next[copy]].answered) continue;
        if (at_s - due_s > lag_s) lag_s = at_s - due_s;
        int place = start(next[copy], copy, due_s);
        starts++;
        if (place < 0) continue;
        queue->calls[queue->end] = place;
        queue->generations[queue->end++] = calls[place].generation;
      }
    }
    if (!open_calls && next[COPIES - 1] == uuid_count) break;
    double left_s = wake_s - now_s();
    struct timespec wait = {0, left_s < 0 ? 0 : left_s > 0.05 ? 50000000 : (long)(left_s * 1e9)};
    struct epoll_event events[EVENTS];
    int ready = epoll_pwait2(poll_fd, events, EVENTS, &wait, NULL);
    at_s = now_s();
    for (int number = 0; number < ready; number++) {
      Call *call = &calls[events[number].data.u32];
      if (call->fd >= 0) go_on(call, at_s);
    }
  }

  int in_time = 0;
  for (int number = 0; number < uuid_count; number++) in_time += uuids[number].answered;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu_s = used.ru_utime.tv_sec + used.ru_stime.tv_sec +
                 (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{\"uuids\": %d, \"calls\": %ld, \"in_time\": %d, \"answered\": %ld, \"refused\": %ld, \"late\": %ld, "
         "\"other\": %ld, \"closed\": %ld, \"no_reply\": %ld, \"p50_ms\": %.1f, \"p99_ms\": %.1f, "
         "\"refusal_p99_ms\": %.1f, \"lag_ms\": %.1f, \"cores\": %.3f}\n",
         uuid_count, sends, in_time, answered, refused, late, other, closed, no_reply,
         quantile(answer_ms, answer_count, 0.5), quantile(answer_ms, answer_count, 0.99),
         quantile(refusal_ms, refusal_count, 0.99), lag_s * 1000, cpu_s / (now_s() - begin_s));
  return 0;
}
