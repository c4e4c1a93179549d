// SPDX-License-Identifier: Apache-2.0
// The chart itself; a part of its own, which is fetched when a coin is looked at.
import {
  AreaSeries, CandlestickSeries, ColorType, createChart, createTextWatermark, CrosshairMode, HistogramSeries, LineSeries, LineType, PriceScaleMode,
  type AutoscaleInfo, type IChartApi, type ISeriesApi, type IPrimitivePaneRenderer, type IRange, type ISeriesPrimitive, type MouseEventParams, type SeriesAttachedParameter, type Time,
  type UTCTimestamp,
} from 'lightweight-charts';
import { clockTime, day, plain } from '../../lib/format';
import { spread, volumesAt, type Candle, type Gap, type Point } from './series';

export interface Other {
  name: string;
  points: readonly Point[];
  colour: string;
}

export interface Shown {
  points: readonly Point[];
  candles: readonly Candle[] | null; // in place of the line
  gaps: readonly Gap[];
  others: readonly Other[]; // then all are percent since the start
  isLog: boolean;
  hasVolume: boolean;
  isSimulated: boolean;
}

/** Where the hand is: nothing when it is not on the chart. */
export interface Under {
  time: number; // s
  price: number | null;
  volume: number | null;
  candle: Candle | null;
  others: (number | null)[];
}

const WIDEST = 48; // of a candle, px

const SHORT_S = 900;

const isShort = ({ points, candles }: Shown): boolean => !candles && points.at(-1)!.time - points[0]!.time < SHORT_S;

const at = (time: number): UTCTimestamp => time as UTCTimestamp;

type Colours = Record<'text' | 'quiet' | 'line' | 'up' | 'down' | 'accent' | 'sheet', string>;

function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const names = ['text', 'quiet', 'line', 'up', 'down', 'accent', 'sheet'] as const;
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Colours;
}

const faint = (colour: string, share: number): string => {
  const value = Math.round(share * 255).toString(16).padStart(2, '0');
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour + value : colour;
};

/** Hatching where nothing is known. */
class Gaps implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;

  constructor(private readonly gaps: readonly Gap[], private readonly colour: string) {}

  attached({ chart }: SeriesAttachedParameter<Time>): void {
    this.chart = chart as unknown as IChartApi;
  }

  detached(): void {
    this.chart = null;
  }

  private places(): [number, number][] {
    const scale = this.chart?.timeScale();
    return this.gaps.flatMap((gap): [number, number][] => {
      const [from, to] = [scale?.timeToCoordinate(at(gap.from)), scale?.timeToCoordinate(at(gap.to))];
      return typeof from === 'number' && typeof to === 'number' ? [[from, to]] : [];
    });
  }

  paneViews() {
    const places = this.places();
    const { colour } = this;
    const renderer: IPrimitivePaneRenderer = {
      draw: () => undefined,
      drawBackground: (target) => target.useMediaCoordinateSpace(({ context, mediaSize }) => {
        for (const [from, to] of places) hatch(context, from, to, mediaSize.height, colour);
      }),
    };
    return [{ zOrder: () => 'bottom' as const, renderer: () => renderer }];
  }
}

function hatch(context: CanvasRenderingContext2D, from: number, to: number, height: number, colour: string): void {
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = from - height; x < to; x += 9) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

// A segment has the colour of the point that it begins at: the last before a gap is drawn to nowhere.
function linePoints(points: readonly Point[], hidden: Record<string, string>) {
  return points.map((point, i) => {
    if (point.price === null) return { time: at(point.time) };
    const isLast = points[i + 1]?.price === null;
    return isLast ? { time: at(point.time), value: point.price, ...hidden } : { time: at(point.time), value: point.price };
  });
}

// So few are seen as points: a line between them says little, and of one there is none.
const FEW = 40;

// The axis never ends when it shall divide a span of nothing into steps of next to nothing.
function priceOptions(points: readonly { price: number | null }[]) {
  const largest = points.reduce((most, { price }) => Math.max(most, Math.abs(price ?? 0)), 0) || 1;
  return {
    priceFormat: { type: 'custom' as const, formatter: plain, minMove: 10 ** (Math.floor(Math.log10(largest)) - 7) },
    autoscaleInfoProvider: (original: () => AutoscaleInfo | null): AutoscaleInfo | null => {
      const info = original();
      const range = info?.priceRange;
      if (!info || !range || range.maxValue - range.minValue > largest * 1e-6) return info;
      return { ...info, priceRange: { minValue: range.minValue - largest * 0.005, maxValue: range.maxValue + largest * 0.005 } };
    },
  };
}

const markers = (points: readonly Point[]) => ({ pointMarkersVisible: points.filter((point) => point.price !== null).length <= FEW, pointMarkersRadius: 3 });

const HIDDEN_LINE = { color: 'transparent' };
const HIDDEN_AREA = { lineColor: 'transparent', topColor: 'transparent', bottomColor: 'transparent' };

export class PriceChart {
  private chart: IChartApi | null = null;
  private main: ISeriesApi<'Area'> | ISeriesApi<'Candlestick'> | ISeriesApi<'Line'> | null = null;
  private shown: Shown | null = null;

  constructor(private readonly element: HTMLElement, private readonly onUnder: (under: Under | null) => void, private readonly onPick: (time: number) => void) {}

  /** Draw anew: data, kind or colours have changed. `isSame`: the part that is looked at stays. */
  show(shown: Shown, isSame: boolean): void {
    const range = isSame ? this.zoomed() : null;
    this.remove();
    this.shown = shown;
    const colour = colours();
    this.chart = createChart(this.element, this.options(shown, colour));
    this.addVolume(shown, colour);
    this.addMain(shown, colour);
    for (const other of shown.others) this.addOther(other);
    if (shown.isSimulated) {
      createTextWatermark(this.chart.panes()[0]!, { horzAlign: 'center', vertAlign: 'center', lines: [{ text: 'SIMULATED', color: faint(colour.quiet, 0.16), fontSize: Math.min(54, Math.round(this.element.clientWidth / 10)), fontStyle: 'bold' }] });
    }
    this.chart.subscribeCrosshairMove((event) => this.tell(event));
    this.chart.subscribeClick((event) => typeof event.time === 'number' && this.onPick(event.time));
    if (range) this.chart.timeScale().setVisibleRange(range);
    else this.chart.timeScale().fitContent();
  }

  /** What is looked at, if it is but a part. */
  private zoomed(): IRange<Time> | null {
    const scale = this.chart?.timeScale();
    const places = scale?.getVisibleLogicalRange();
    if (!scale || !places || !this.shown) return null;
    const all = (this.shown.candles ? spread(this.shown.candles) : this.shown.points).length;
    return places.to - places.from < all - 1.5 ? scale.getVisibleRange() : null;
  }

  /** One more point at the end, or another value of the last. */
  update(time: number, price: number): void {
    const last = this.shown?.points.at(-1);
    if (!this.main || !this.shown || this.shown.candles || !last || time < last.time) return;
    (this.main as ISeriesApi<'Area'>).update({ time: at(time), value: price });
    const before = last.time === time ? this.shown.points.slice(0, -1) : this.shown.points;
    this.shown = { ...this.shown, points: [...before, { time, price, volume: last.time === time ? last.volume : null }] };
  }

  remove(): void {
    this.chart?.remove();
    this.chart = null;
    this.main = null;
  }

  private options(shown: Shown, colour: Colours) {
    const isCompared = shown.others.length > 0;
    return {
      autoSize: true,
      layout: { background: { type: ColorType.Solid, color: 'transparent' }, textColor: colour.quiet, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12, attributionLogo: false },
      grid: { vertLines: { color: faint(colour.line, 0.6) }, horzLines: { color: faint(colour.line, 0.6) } },
      crosshair: { mode: CrosshairMode.Magnet, vertLine: { color: colour.quiet, labelBackgroundColor: colour.quiet }, horzLine: { color: colour.quiet, labelBackgroundColor: colour.quiet } },
      rightPriceScale: {
        borderVisible: false,
        mode: isCompared ? PriceScaleMode.Percentage : shown.isLog ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal,
        scaleMargins: { top: 0.12, bottom: shown.hasVolume ? 0.24 : 0.08 },
      },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: isShort(shown), fixLeftEdge: true, fixRightEdge: true, minBarSpacing: 0.01, maxBarSpacing: shown.candles ? WIDEST : 0 },
      localization: { timeFormatter: (time: Time) => `${day(Number(time) * 1000)} ${clockTime(Number(time) * 1000)} UTC` },
      handleScale: { axisPressedMouseMove: { time: true, price: true } },
    };
  }

  private addMain(shown: Shown, colour: Colours): void {
    if (shown.candles) {
      const series = this.chart!.addSeries(CandlestickSeries, {
        upColor: colour.up, downColor: colour.down, wickUpColor: colour.up, wickDownColor: colour.down, borderVisible: false, ...priceOptions(shown.candles.map((candle) => ({ price: candle.high }))),
      });
      series.setData(spread(shown.candles).map((candle) => ({ ...candle, time: at(candle.time) })));
      this.main = series;
      return;
    }
    if (shown.others.length > 0) {
      const series = this.chart!.addSeries(LineSeries, { color: colour.accent, lineWidth: 2, lineType: LineType.Simple, ...priceOptions(shown.points), ...markers(shown.points) });
      series.setData(linePoints(shown.points, HIDDEN_LINE));
      this.main = series;
    } else {
      const series = this.chart!.addSeries(AreaSeries, {
        lineColor: colour.accent, topColor: faint(colour.accent, 0.26), bottomColor: faint(colour.accent, 0.01), lineWidth: 2,
        ...priceOptions(shown.points), ...markers(shown.points),
      });
      series.setData(linePoints(shown.points, HIDDEN_AREA));
      this.main = series;
    }
    this.main.attachPrimitive(new Gaps(shown.gaps, faint(colour.quiet, 0.3)));
  }

  private addOther(other: Other): void {
    const series = this.chart!.addSeries(LineSeries, { color: other.colour, lineWidth: 2, ...priceOptions(other.points), ...markers(other.points) });
    series.setData(linePoints(other.points, HIDDEN_LINE));
  }

  private addVolume(shown: Shown, colour: Colours): void {
    if (!shown.hasVolume) return;
    const series = this.chart!.addSeries(HistogramSeries, { priceScaleId: 'volume', color: faint(colour.quiet, 0.35), priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false });
    const volumes = shown.candles ? volumesAt(shown.candles, shown.points) : [];
    const bars = shown.candles?.map(({ time }, i) => ({ time, volume: volumes[i] ?? null })) ?? shown.points;
    series.setData(bars.map(({ time, volume }) => (volume === null ? { time: at(time) } : { time: at(time), value: volume })));
    this.chart!.priceScale('volume').applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  }

  private tell(event: MouseEventParams): void {
    if (typeof event.time !== 'number' || !this.shown) return this.onUnder(null);
    const { time } = event;
    const find = (points: readonly Point[]): Point | undefined => points.find((point) => point.time === time);
    const point = find(this.shown.points);
    this.onUnder({
      time,
      price: point?.price ?? null,
      volume: point?.volume ?? null,
      candle: this.shown.candles?.find((candle) => candle.time === time) ?? null,
      others: this.shown.others.map((other) => find(other.points)?.price ?? null),
    });
  }
}
