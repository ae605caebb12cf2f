/** Several queues behind one descriptor. */
import { expect, test } from "bun:test";
import { epollAdd, openEpoll } from "../../ffi/epoll.ts";
import { clearEventfd, openEventfd, signalEventfd } from "../../ffi/eventfd.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";

test("an epoll descriptor is readable for poll while one of its queues is", () => {
  using epoll = openEpoll();
  using first = openEventfd();
  using second = openEventfd();
  epollAdd(epoll.number, first.number);
  epollAdd(epoll.number, second.number);
  expect(pollOne(epoll.number, POLLIN, 0)).toBe(0);
  signalEventfd(second.number);
  expect(pollOne(epoll.number, POLLIN, 0)).toBe(POLLIN);
  clearEventfd(second.number);
  expect(pollOne(epoll.number, POLLIN, 0)).toBe(0);
});

test("epollAdd throws EEXIST for a queue that it has", () => {
  using epoll = openEpoll();
  using queue = openEventfd();
  epollAdd(epoll.number, queue.number);
  expect(() => epollAdd(epoll.number, queue.number)).toThrow("epoll_ctl: file exists");
});
