// age.tsx - how long ago something was, ticking.
//
// A thousand cards tick; only the text of those in sight is written, and only when it changes, by one
// timer and without drawing any component anew.
import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { absolute, ago } from '../format';
import { now } from '../live/live';

const seen = new Set<HTMLTimeElement>();
const write = (el: HTMLTimeElement, at: number): void => {
	const text = ago(el.dateTime, at);
	if (el.textContent !== text)
		el.textContent = text;
};
const watch = new IntersectionObserver((entries) => {
	for (const e of entries) {
		const el = e.target as HTMLTimeElement;
		if (e.isIntersecting) {
			seen.add(el);
			write(el, now.peek());
		} else {
			seen.delete(el);
		}
	}
}, { rootMargin: '100px' });

effect(() => {
	const at = now.value;
	for (const el of seen)
		write(el, at);
});

export function Age({ at }: { at: string }): JSX.Element {
	const ref = useRef<HTMLTimeElement>(null);
	useEffect(() => {
		const el = ref.current as HTMLTimeElement;
		watch.observe(el);
		return () => {
			watch.unobserve(el);
			seen.delete(el);
		};
	}, []);
	useEffect(() => write(ref.current as HTMLTimeElement, now.peek()), [at]);
	return <time ref={ref} class="num" dateTime={at} title={absolute(at)} />;
}

export function When({ at }: { at: string }): JSX.Element {
	return <time class="num" dateTime={at} title={ago(at, now.peek())}>{absolute(at)}</time>;
}
